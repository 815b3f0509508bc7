// What goes wrong in a schedule, drawn from its seed. Everything is mended at the end of its time.
import { anyConnection, anyNode, leaderOf, nodeOf, type Scene } from "./scene.ts";
import { between, pick, type World } from "./world.ts";

/** Does it, and tells for how long, in ms. */
type Fault = (scene: Scene) => number;

const longerThanLease = (world: World): number => between(world, 1_000, 45_000);

function later(scene: Scene, ms: number, run: () => void): number {
  scene.world.agenda.after(ms, run);
  return ms;
}

function cutNode(scene: Scene, cut: readonly ("api" | "messages")[]): number {
  const node = anyNode(scene);
  if (node === undefined) return 0;
  const { machine } = node;
  if (cut.includes("api")) machine.reachesApi = false;
  if (cut.includes("messages")) machine.reachesMessages = false;
  node.watchHealth();
  return later(scene, longerThanLease(scene.world), () => {
    machine.reachesApi = true;
    machine.reachesMessages = true;
  });
}

function recreate(scene: Scene, isForced: boolean): number {
  const { world, api, numbers } = scene;
  const name = pick(world, numbers) ?? "";
  const spec = api.numbers.get(name);
  if (spec === undefined || spec.isDeleting) return 0;
  if (isForced) api.removeNumber(name);
  else api.applyNumber(name, { isDeleting: true });
  const make = (): void => {
    if (api.numbers.has(name)) return void world.agenda.after(1_000, make);
    api.applyNumber(name, { specHash: scene.specHash });
  };
  return later(scene, between(world, 100, 20_000), make) + 10_000;
}

function moveLead(scene: Scene, overlapMs: number): number {
  const [one, other] = scene.operators;
  if (one === undefined || other === undefined) return 0;
  const [old, young] = one.leads ? [one, other] : [other, one];
  young.lead(true);
  return later(scene, overlapMs, () => old.lead(false));
}

export const faults: Record<string, Fault> = {
  "connection killed": (scene) => {
    const connection = anyConnection(scene);
    if (connection === undefined) return 0;
    nodeOf(scene, connection)?.restart(connection);
    return 0;
  },
  "connection frozen": (scene) => {
    const connection = anyConnection(scene);
    if (connection === undefined) return 0;
    const ms = longerThanLease(scene.world);
    nodeOf(scene, connection)?.freeze(connection, ms);
    return ms;
  },
  "connection frozen before the first byte": (scene) => {
    const connection = anyConnection(scene);
    if (connection === undefined) return 0;
    const ms = between(scene.world, 10_000, 34_000);
    connection.sending.onGate = () => {
      connection.sending.onGate = undefined;
      scene.world.trace(() => `${connection.name} is frozen before the first byte`);
      connection.process.freeze(ms);
    };
    return ms + 5_000;
  },
  "a begin arrives late, after its node was cut from messages": (scene) => {
    const connection = anyConnection(scene);
    if (connection === undefined) return 0;
    const ms = between(scene.world, 10_000, 40_000);
    connection.sending.isBeginLate = true;
    later(scene, 1_500, () => void (connection.machine.reachesMessages = false));
    return later(scene, ms + 1_000, () => void (connection.machine.reachesMessages = true));
  },
  "upstream slow to connect": (scene) => {
    scene.world.connectMs = between(scene.world, 500, 5_000);
    return later(scene, longerThanLease(scene.world), () => void (scene.world.connectMs = 10));
  },
  "operator killed between two calls": (scene) => {
    const leader = leaderOf(scene);
    if (leader !== undefined) leader.executor.diesAfterSteps = 1 + Math.floor(scene.world.random() * 6);
    return 15_000;
  },
  "operator killed": (scene) => {
    const leader = leaderOf(scene);
    leader?.die();
    return later(scene, between(scene.world, 1_000, 20_000), () => leader?.start());
  },
  "operator frozen, the other leads": (scene) => {
    const leader = leaderOf(scene);
    const ms = longerThanLease(scene.world);
    leader?.process.freeze(ms);
    // It wakes and believes for a while what it believed.
    return moveLead(scene, ms + between(scene.world, 0, 5_000));
  },
  "two operators lead": (scene) => moveLead(scene, longerThanLease(scene.world)),
  "operator cut from messages": (scene) => {
    const index = scene.operators.findIndex(({ leads }) => leads);
    const machine = scene.operatorMachines[index];
    if (machine === undefined) return 0;
    machine.reachesMessages = false;
    scene.operators[index]?.register.lose();
    return later(scene, longerThanLease(scene.world), () => void (machine.reachesMessages = true));
  },
  "operator cut from the api server": (scene) => {
    const machine = scene.operatorMachines[scene.operators.findIndex(({ leads }) => leads)];
    if (machine === undefined) return 0;
    machine.reachesApi = false;
    return later(scene, longerThanLease(scene.world), () => void (machine.reachesApi = true));
  },
  "a status is written late, another operator leads": (scene) => {
    const leader = leaderOf(scene);
    if (leader === undefined) return 0;
    const ms = between(scene.world, 2_000, 30_000);
    leader.executor.lateWriteMs = ms;
    const evict = (): void => {
      for (const { view } of scene.api.pods.values())
        if (!view.isDeleting) scene.api.deletePod(view.metadata.uid, false);
    };
    evict();
    // After the first has decided, before anybody could see it.
    later(scene, 500, () => moveLead(scene, 0));
    return later(scene, ms / 2, evict) + ms;
  },
  "slow watches": (scene) => {
    const ms = between(scene.world, 1_000, 30_000);
    for (const operator of scene.operators) {
      for (const kind of ["number", "pod", "node"] as const)
        if (scene.world.random() < 0.5) operator.watches.stall(kind, ms);
    }
    return ms;
  },
  "node cut from the api server": (scene) => cutNode(scene, ["api"]),
  "node cut from messages": (scene) => cutNode(scene, ["messages"]),
  "node cut off": (scene) => cutNode(scene, ["api", "messages"]),
  "kubelet stopped": (scene) => {
    const node = anyNode(scene);
    node?.stopKubelet();
    return later(scene, longerThanLease(scene.world), () => node?.startKubelet());
  },
  "node without power": (scene) => {
    const node = anyNode(scene);
    if (node === undefined || !node.isPowered) return 0;
    node.powerOff();
    const isRest = scene.nodes.filter(({ isLostForGood }) => !isLostForGood).length > 2;
    if (isRest && scene.world.random() < 0.3) {
      node.isLostForGood = true;
      return 0;
    }
    return later(scene, longerThanLease(scene.world), () => node.powerOn());
  },
  "node object deleted": (scene) => {
    const node = anyNode(scene);
    if (node === undefined) return 0;
    node.machine.reachesApi = false;
    node.watchHealth();
    scene.world.agenda.after(between(scene.world, 100, 20_000), () => scene.api.removeNode(node.name));
    return later(scene, between(scene.world, 25_000, 60_000), () => void (node.machine.reachesApi = true));
  },
  "machine paused, noticed by the wall clock": (scene) => {
    const ms = longerThanLease(scene.world);
    const node = anyNode(scene);
    node?.machine.pause(ms, true);
    node?.watchHealth();
    return ms;
  },
  "machine paused, noticed by no clock": (scene) => {
    const ms = longerThanLease(scene.world);
    const node = anyNode(scene);
    node?.machine.pause(ms, false);
    node?.watchHealth();
    return ms;
  },
  "wall clock jumps": (scene) => {
    const machine = scene.world.random() < 0.7 ? anyNode(scene)?.machine : pick(scene.world, scene.operatorMachines);
    machine?.jumpWall(between(scene.world, -3_600_000, 3_600_000));
    return 0;
  },
  "database clock jumps": (scene) => {
    // A lease outlives its sending by 5 s: less than that may go wrong with the clock that it is counted by.
    scene.messages.clockOffsetMs = between(scene.world, 0, 3_000);
    return 0;
  },
  "messages away": (scene) => {
    scene.messages.isUp = false;
    for (const operator of scene.operators) operator.register.lose();
    const { random } = scene.world;
    const ms = random() < 0.5 ? between(scene.world, 500, 12_000) : between(scene.world, 12_000, 90_000);
    return later(scene, ms, () => void (scene.messages.isUp = true));
  },
  "api server away": (scene) => {
    scene.api.isUp = false;
    for (const node of scene.nodes) node.watchHealth();
    return later(scene, longerThanLease(scene.world), () => void (scene.api.isUp = true));
  },
  "slow network": (scene) => {
    scene.world.slowness = between(scene.world, 50, 600);
    return later(scene, between(scene.world, 5_000, 40_000), () => void (scene.world.slowness = 5));
  },
  "hints lost": (scene) => {
    scene.world.hintLoss = between(scene.world, 0.3, 1);
    return later(scene, between(scene.world, 10_000, 60_000), () => void (scene.world.hintLoss = 0));
  },
  "pod force deleted": (scene) => {
    const pod = pick(scene.world, Array.from(scene.api.pods.values()));
    if (pod !== undefined) scene.api.deletePod(pod.view.metadata.uid, true);
    return 0;
  },
  "pod deleted by the user": (scene) => {
    const pod = pick(scene.world, Array.from(scene.api.pods.values()));
    if (pod !== undefined) scene.api.deletePod(pod.view.metadata.uid, false);
    return 0;
  },
  "connection killed, then its pod deleted": (scene) => {
    const connection = anyConnection(scene);
    if (connection === undefined) return 0;
    nodeOf(scene, connection)?.restart(connection);
    return later(scene, between(scene.world, 500, 6_000), () => void scene.api.deletePod(connection.podUid, false));
  },
  "number made anew": (scene) => recreate(scene, false),
  "number made anew, finalizers removed": (scene) => recreate(scene, true),
  "number disconnected for a while": (scene) => {
    const name = pick(scene.world, scene.numbers) ?? "";
    if (scene.api.numbers.get(name)?.isDeleting !== false) return 0;
    scene.api.applyNumber(name, { isWanted: false });
    return later(scene, between(scene.world, 500, 20_000), () => {
      if (scene.api.numbers.has(name)) scene.api.applyNumber(name, { isWanted: true });
    });
  },
  "image that fails": (scene) => {
    const spec = `bad-${(scene.specs += 1)}`;
    scene.badSpecs.add(spec);
    changeSpecs(scene, spec);
    return later(scene, between(scene.world, 5_000, 40_000), () => changeSpecs(scene, `mended-${spec}`));
  },
  "class changed": (scene) => {
    changeSpecs(scene, `spec-${(scene.specs += 1)}`);
    return 0;
  },
  "node drained": (scene) => {
    const node = anyNode(scene);
    const isRest = scene.nodes.filter(({ name }) => scene.api.nodes.get(name)?.isUnschedulable === false).length > 1;
    if (node === undefined || !isRest || !scene.api.nodes.has(node.name)) return 0;
    scene.api.putNode(node.name, { isUnschedulable: true });
    return 0;
  },
};

function changeSpecs(scene: Scene, specHash: string): void {
  const { api, numbers } = scene;
  scene.specHash = specHash;
  for (const name of numbers) {
    if (api.numbers.get(name)?.isDeleting === false) api.applyNumber(name, { specHash });
  }
}
