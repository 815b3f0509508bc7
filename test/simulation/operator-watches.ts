// What a replica of the operator sees of the API server: caches that lag, over watches that are slow, break, and go on.
import type { PodView } from "#operator/pod-view.ts";
import type { WorkQueue } from "#operator/runtime/queue.ts";
import {
  type ApiEvent,
  type ApiServer,
  type NodeObject,
  type NumberObject,
  type PodObject,
  watchLagMs,
} from "./api-server.ts";
import type { Process } from "./time.ts";
import { between, type World } from "./world.ts";

type Kind = ApiEvent["kind"];
type Stream = Kind | "lease";

/** Lets something arrive, not before that moment. */
export type Deliver = (stream: Stream, notBeforeMs: number, run: () => void) => void;

/** In order, each stream for itself; to the process that runs when it is sent. */
export function createDelivery(world: World, process: () => Process): Deliver {
  const deliveredMs: Record<Stream, number> = { number: 0, pod: 0, node: 0, lease: 0 };
  return (stream, notBeforeMs, run) => {
    const atMs = Math.max(deliveredMs[stream], notBeforeMs, world.agenda.nowMs + watchLagMs(world));
    deliveredMs[stream] = atMs;
    process().after(atMs - world.agenda.nowMs, run);
  };
}

type Options = {
  world: World;
  api: ApiServer;
  /** Of the present life. */
  process: () => Process;
  deliver: Deliver;
  /** Whether the API server is heard at all. */
  isHeard: () => boolean;
  /** Something of this number changed. */
  add: WorkQueue["add"];
  onSynced: () => void;
};

export class Watches {
  readonly #options: Options;
  /** They bring nothing before then. */
  readonly #stalledUntilMs = { number: 0, pod: 0, node: 0 };
  numbers = new Map<string, NumberObject>();
  pods = new Map<string, PodObject>();
  nodes = new Map<string, NodeObject>();
  endedUids = new Set<string>();
  seenVersion = { number: 0, pod: 0, node: 0 };
  isSynced = false;
  /** By its own clock: the one of the API server may be another. */
  readonly firstSeenMs = new Map<string, number>();

  constructor(options: Options) {
    this.#options = options;
    options.api.watchers.push((event) => this.#watched(event));
  }

  /** Another life begins, which knows nothing. */
  forget(): void {
    this.numbers = new Map();
    this.pods = new Map();
    this.nodes = new Map();
    this.endedUids = new Set();
    this.seenVersion = { number: 0, pod: 0, node: 0 };
    this.isSynced = false;
    this.firstSeenMs.clear();
  }

  /** A watch that is slow, or is begun anew with a list. */
  stall(kind: Kind, forMs: number): void {
    this.#stalledUntilMs[kind] = this.#options.world.agenda.nowMs + forMs;
  }

  list(): void {
    const { world, api, process, isHeard, onSynced } = this.#options;
    process().after(between(world, 100, 1_000), () => {
      if (!isHeard()) return this.list();
      // What was on its way before is older, and does not count any more.
      for (const event of api.snapshot()) this.#see(event, api.version);
      this.seenVersion = { number: api.version, pod: api.version, node: api.version };
      this.isSynced = true;
      onSynced();
    });
  }

  #watched(event: ApiEvent): void {
    const { world, api, isHeard, deliver } = this.#options;
    const { version } = api;
    if (!isHeard()) {
      world.agenda.after(between(world, 300, 1_500), () => this.#redeliver(event, version));
      return;
    }
    deliver(event.kind, this.#stalledUntilMs[event.kind], () => {
      this.#see(event, version);
      this.seenVersion[event.kind] = Math.max(this.seenVersion[event.kind], version);
    });
  }

  /** After a break the watch goes on where it was, or with what is there by now. */
  #redeliver(event: ApiEvent, version: number): void {
    const { world, api, isHeard, deliver } = this.#options;
    if (!isHeard()) {
      world.agenda.after(between(world, 500, 2_500), () => this.#redeliver(event, version));
      return;
    }
    const stores = { number: api.numbers, pod: api.pods, node: api.nodes } as const;
    const liveVersion = api.version;
    const live = { kind: event.kind, name: event.name, object: stores[event.kind].get(event.name) } as ApiEvent;
    deliver(event.kind, 0, () => {
      this.#see(live, liveVersion);
      this.seenVersion[event.kind] = Math.max(this.seenVersion[event.kind], version);
    });
  }

  /** `version` is of the event: an object that is known from a later one stays. */
  #see(event: ApiEvent, version: number): void {
    const { kind, name } = event;
    const known = (kind === "number" ? this.numbers : kind === "pod" ? this.pods : this.nodes).get(name);
    if (known !== undefined && known.version > version) return;
    if (kind === "number") this.#seeNumber(name, event.object);
    else if (kind === "pod") this.#seePod(name, event.object);
    else this.#seeNode(name, event.object);
  }

  #seeNumber(name: string, object: NumberObject | undefined): void {
    if (object === undefined) this.numbers.delete(name);
    else this.numbers.set(name, object);
    this.#options.add(name, { priority: object?.isDeleting === false ? "normal" : "urgent" });
  }

  #seePod(name: string, object: PodObject | undefined): void {
    const { process, add } = this.#options;
    const before = this.pods.get(name)?.view;
    const isOther = before !== undefined && object?.view.metadata.uid !== before.metadata.uid;
    if (isOther && before.isEnded && before.isDeleting) this.endedUids.add(before.metadata.uid);
    if (object === undefined) this.pods.delete(name);
    else this.pods.set(name, object);
    const uid = object?.view.metadata.uid;
    if (uid !== undefined && !this.firstSeenMs.has(uid)) this.firstSeenMs.set(uid, process().machine.monotonicMs());
    const view = object?.view ?? before;
    if (view !== undefined) add(numberOf(view));
  }

  #seeNode(name: string, object: NodeObject | undefined): void {
    const before = this.nodes.get(name)?.view;
    if (object === undefined) this.nodes.delete(name);
    else this.nodes.set(name, object);
    if (before?.isLost === object?.view.isLost && before?.isDraining === object?.view.isDraining) return;
    for (const { view } of this.pods.values()) if (view.nodeName === name) this.#options.add(numberOf(view));
  }
}

export function numberOf({ number }: PodView): string {
  return number.slice("default/".length);
}
