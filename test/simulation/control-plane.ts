// The control plane's own controllers: the scheduler, and what collects pods that nobody owns and those of nodes that are gone.
import type { ApiServer, PodObject } from "./api-server.ts";
import { between, pick, type World } from "./world.ts";

/** What they do comes late, but comes. */
export function startControlPlane(world: World, api: ApiServer): void {
  const soon = (lowMs: number, highMs: number, run: () => void): void => {
    world.agenda.after(between(world, lowMs, highMs), () =>
      api.isUp ? run() : soon(lowMs + 500, highMs + 1_000, run),
    );
  };
  const schedule = (uid: string): void => {
    const pod = findPod(api, uid);
    if (pod === undefined || pod.view.nodeName !== undefined) return;
    const open = Array.from(api.nodes.values()).filter(
      ({ isUnschedulable, isUnreachable, view }) =>
        !isUnschedulable && !isUnreachable && !pod.avoidNodes.includes(view.metadata.name),
    );
    const node = pick(world, open);
    if (node === undefined) soon(1_000, 3_000, () => schedule(uid));
    else api.changePod(uid, { nodeName: node.view.metadata.name });
  };
  api.watchers.push((event) => {
    if (event.kind === "pod" && event.object !== undefined && event.object.view.nodeName === undefined) {
      const { uid } = event.object.view.metadata;
      soon(10, 200, () => schedule(uid));
    }
    if (event.kind === "number" && event.object === undefined) soon(200, 4_000, () => collectOrphans(api));
    if (event.kind === "node" && event.object === undefined)
      soon(2_000, 20_000, () => collectOfNode(world, api, event.name));
  });
}

function findPod(api: ApiServer, uid: string): PodObject | undefined {
  const live = api.pods.get(uid.slice(0, uid.lastIndexOf(".")));
  return live?.view.metadata.uid === uid ? live : undefined;
}

/** Pods whose owner is gone. */
function collectOrphans(api: ApiServer): void {
  const owners = new Set(Array.from(api.numbers.values(), ({ uid }) => uid));
  for (const { view } of api.pods.values()) if (!owners.has(view.ownerUid)) api.deletePod(view.metadata.uid, false);
}

/** Pods whose node is gone: written off, whatever runs there, then removed. */
function collectOfNode(world: World, api: ApiServer, name: string): void {
  if (api.nodes.has(name)) return;
  for (const { view, status } of api.pods.values()) {
    if (view.nodeName !== name) continue;
    const { uid } = view.metadata;
    const isTerminal = status.phase === "Failed" || status.phase === "Succeeded";
    if (!isTerminal) api.changePod(uid, { status: { ...status, phase: "Failed", isReady: false }, isByGc: true });
    world.agenda.after(between(world, 50, 2_000), () => void api.deletePod(uid, true));
  }
}
