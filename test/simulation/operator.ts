// A replica of the operator: the real rules, queue and counts of moves, over caches that lag and calls that may be lost. What it does
// with a plan is what execute.ts does, call by call, so that it may die between any two.
import { Registry } from "prom-client";
import type { LeaseFacts, PodFacts, PodsFacts } from "#operator/number/facts.ts";
import { type ClassRules, createFleet, type Fleet } from "#operator/number/fleet.ts";
import type { PodAction, PodsPlan } from "#operator/number/pods.ts";
import type { PodView } from "#operator/pod-view.ts";
import { createWaiters, type Waiters } from "#operator/number/waiters.ts";
import { createRuntimeMetrics } from "#operator/runtime/metrics.ts";
import { createQueue, type WorkQueue } from "#operator/runtime/queue.ts";
import {
  type ApiEvent,
  type ApiServer,
  type NodeObject,
  type NumberObject,
  type PodObject,
  watchLagMs,
} from "./api-server.ts";
import type { LeaseNews, Messages } from "./messages.ts";
import { type Machine, Process } from "./time.ts";
import { between, call, type Reply, type Service, type World } from "./world.ts";

const metrics = createRuntimeMetrics(new Registry());
const workers = 2;
const behindMs = 100;
const toldMs = 2_000;
const awayAfterMs = 10_000;

export type OperatorOptions = {
  world: World;
  name: string;
  machine: Machine;
  api: ApiServer;
  messages: Messages;
  classRules: ClassRules;
};

type Stream = "number" | "pod" | "node" | "lease";
type Known = LeaseNews & { lapsedSinceMs: number | undefined };

export class Operator {
  readonly #options: OperatorOptions;
  process: Process;
  /** Rightly or wrongly. */
  leads = false;
  /** Dies after so many more steps. */
  diesAfterSteps = Number.POSITIVE_INFINITY;
  /** The next status is on its way for that long, and its answer is lost. */
  lateWriteMs: number | undefined;
  /** Its watches bring nothing before then. */
  readonly #stalledUntilMs = { number: 0, pod: 0, node: 0 };
  readonly #deliveredMs: Record<Stream, number> = { number: 0, pod: 0, node: 0, lease: 0 };
  #numbers = new Map<string, NumberObject>();
  #pods = new Map<string, PodObject>();
  #nodes = new Map<string, NodeObject>();
  #register = new Map<string, Known>();
  #isRegisterLive = false;
  #isRegisterAway = true;
  #cancelAway: (() => void) | undefined;
  #endedUids = new Set<string>();
  #written = new Map<string, number>();
  #seenVersion = { number: 0, pod: 0, node: 0 };
  #fleet: Fleet;
  #queue: WorkQueue;
  #waiters: Waiters;
  /** By its own clock: the one of the API server may be another. */
  readonly #firstSeenMs = new Map<string, number>();
  #busy = 0;
  #isSynced = false;
  lives = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.process = new Process(options.machine, options.world.agenda);
    this.#fleet = createFleet(() => 0);
    this.#queue = this.#newQueue();
    this.#waiters = this.#newWaiters();
    options.api.watchers.push((event) => this.#watched(event));
    this.start();
  }

  get name(): string {
    return this.#options.name;
  }

  start(): void {
    const { world, machine, api } = this.#options;
    this.process.kill();
    this.#queue.close();
    this.process = new Process(machine, world.agenda);
    this.lives += 1;
    this.diesAfterSteps = Number.POSITIVE_INFINITY;
    this.#numbers = new Map();
    this.#pods = new Map();
    this.#nodes = new Map();
    this.#register = new Map();
    this.#endedUids = new Set();
    this.#written = new Map();
    this.#seenVersion = { number: 0, pod: 0, node: 0 };
    this.#firstSeenMs.clear();
    this.#busy = 0;
    this.#isSynced = false;
    this.#fleet = createFleet(() => machine.monotonicMs());
    this.#queue = this.#newQueue();
    this.#waiters = this.#newWaiters();
    this.#isRegisterLive = false;
    this.#isRegisterAway = true;
    this.#cancelAway = undefined;
    this.#list(api);
    this.#follow();
  }

  die(): void {
    this.process.kill();
    this.#queue.close();
  }

  lead(leads: boolean): void {
    this.leads = leads;
    this.process.after(0, () => {
      for (const name of this.#numbers.keys()) this.#queue.add(name);
      this.#work();
    });
  }

  /** A watch that is slow, or is begun anew with a list. */
  stall(kind: "number" | "pod" | "node", forMs: number): void {
    this.#stalledUntilMs[kind] = this.#options.world.agenda.nowMs + forMs;
  }

  /** The stream of leases broke. */
  loseRegister(): void {
    this.process.after(1, () => {
      this.#isRegisterLive = false;
      if (!this.#isRegisterAway) this.#beAwaySoon();
    });
  }

  told(news: LeaseNews): void {
    if (!this.#isRegisterLive || !this.#hears("messages")) return;
    this.#deliver("lease", 0, () => this.#know(news));
  }

  #newQueue(): WorkQueue {
    const { world, name } = this.#options;
    const { process } = this;
    const clock = {
      monotonicMs: () => process.machine.monotonicMs(),
      wallMs: () => process.machine.wallMs(),
      after: (delayMs: number, run: () => void) => process.after(delayMs, run),
    };
    const queue = createQueue({ name, clock, random: world.random, metrics });
    queue.onReady(() => process.after(0, () => this.#work()));
    return queue;
  }

  #newWaiters(): Waiters {
    const queue = this.#queue;
    return createWaiters(this.#fleet, (key) => queue.add(key));
  }

  #hears(service: Service): boolean {
    const { machine, api, messages } = this.#options;
    if (service === "api") return machine.reachesApi && api.isUp;
    return machine.reachesMessages && messages.isUp;
  }

  #list(api: ApiServer): void {
    this.process.after(between(this.#options.world, 100, 1_000), () => {
      if (!this.#hears("api")) return this.#list(api);
      // What was on its way before is older, and does not count any more.
      for (const event of api.snapshot()) this.#see(event, api.version);
      this.#seenVersion = { number: api.version, pod: api.version, node: api.version };
      this.#isSynced = true;
      this.lead(this.leads);
    });
  }

  #watched(event: ApiEvent): void {
    const { world, api } = this.#options;
    const { version } = api;
    const deliver = (): void => {
      if (!this.#hears("api")) {
        world.agenda.after(between(world, 300, 1_500), () => this.#redeliver(event, version));
        return;
      }
      this.#deliver(event.kind, this.#stalledUntilMs[event.kind], () => {
        this.#see(event, version);
        this.#seenVersion[event.kind] = Math.max(this.#seenVersion[event.kind], version);
      });
    };
    deliver();
  }

  /** After a break the watch goes on where it was, or with what is there by now. */
  #redeliver(event: ApiEvent, version: number): void {
    if (!this.#hears("api")) {
      const { world } = this.#options;
      world.agenda.after(between(world, 500, 2_500), () => this.#redeliver(event, version));
      return;
    }
    const { api } = this.#options;
    const stores = { number: api.numbers, pod: api.pods, node: api.nodes } as const;
    const liveVersion = api.version;
    const live = { kind: event.kind, name: event.name, object: stores[event.kind].get(event.name) } as ApiEvent;
    this.#deliver(event.kind, 0, () => {
      this.#see(live, liveVersion);
      this.#seenVersion[event.kind] = Math.max(this.#seenVersion[event.kind], version);
    });
  }

  /** In order, each kind for itself. */
  #deliver(kind: Stream, notBeforeMs: number, run: () => void): void {
    const { world } = this.#options;
    const { process } = this;
    const atMs = Math.max(this.#deliveredMs[kind], notBeforeMs, world.agenda.nowMs + watchLagMs(world));
    this.#deliveredMs[kind] = atMs;
    process.after(atMs - world.agenda.nowMs, run);
  }

  /** `version` is of the event: an object that is known from a later one stays. */
  #see(event: ApiEvent, version: number): void {
    const { kind, name } = event;
    const known = (kind === "number" ? this.#numbers : kind === "pod" ? this.#pods : this.#nodes).get(name);
    if (known !== undefined && known.version > version) return;
    if (kind === "number") this.#seeNumber(name, event.object);
    else if (kind === "pod") this.#seePod(name, event.object);
    else this.#seeNode(name, event.object);
  }

  #seeNumber(name: string, object: NumberObject | undefined): void {
    if (object === undefined) this.#numbers.delete(name);
    else this.#numbers.set(name, object);
    this.#queue.add(name, { priority: object?.isDeleting === false ? "normal" : "urgent" });
  }

  #seePod(name: string, object: PodObject | undefined): void {
    const before = this.#pods.get(name)?.view;
    const isOther = before !== undefined && object?.view.metadata.uid !== before.metadata.uid;
    if (isOther && before.isEnded && before.isDeleting) this.#endedUids.add(before.metadata.uid);
    if (object === undefined) this.#pods.delete(name);
    else this.#pods.set(name, object);
    const uid = object?.view.metadata.uid;
    if (uid !== undefined && !this.#firstSeenMs.has(uid))
      this.#firstSeenMs.set(uid, this.process.machine.monotonicMs());
    const view = object?.view ?? before;
    if (view !== undefined) this.#queue.add(numberOf(view));
  }

  #seeNode(name: string, object: NodeObject | undefined): void {
    const before = this.#nodes.get(name)?.view;
    if (object === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, object);
    if (before?.isLost === object?.view.isLost && before?.isDraining === object?.view.isDraining) return;
    for (const { view } of this.#pods.values()) if (view.nodeName === name) this.#queue.add(numberOf(view));
  }

  #follow(): void {
    const { world, messages } = this.#options;
    this.process.after(between(world, 100, 1_500), () => {
      if (this.#isRegisterLive || !this.#hears("messages")) return this.#follow();
      this.#isRegisterLive = true;
      this.#isRegisterAway = false;
      this.#cancelAway?.();
      this.#cancelAway = undefined;
      const known = new Map<string, Known>();
      for (const row of messages.rows.values()) {
        const news = messages.newsOf(row);
        if (news !== undefined) known.set(row.number, this.#withLapse(news));
      }
      this.#register = known;
      for (const name of this.#numbers.keys()) this.#queue.add(name);
      this.#follow();
    });
  }

  #beAwaySoon(): void {
    this.#cancelAway ??= this.process.after(awayAfterMs, () => {
      this.#isRegisterAway = true;
      for (const name of this.#numbers.keys()) this.#queue.add(name);
    });
  }

  #know(news: LeaseNews): void {
    this.#register.set(news.number, this.#withLapse(news));
    this.#queue.add(news.number);
  }

  #withLapse(news: LeaseNews): Known {
    const before = this.#register.get(news.number);
    const nowMs = this.process.machine.monotonicMs();
    const sinceMs = before?.term === news.term ? (before.lapsedSinceMs ?? nowMs) : nowMs;
    return { ...news, lapsedSinceMs: news.isLapsed ? sinceMs : undefined };
  }

  #work(): void {
    while (this.leads && this.#isSynced && this.#busy < workers) {
      const work = this.#queue.take();
      if (work === undefined) return;
      this.#busy += 1;
      const { process } = this;
      const queue = this.#queue;
      // Between looking and doing there is always some time.
      process.after(between(this.#options.world, 0.1, 5), () =>
        this.#reconcile(work.key, (outcome) => {
          if (this.process !== process) return;
          queue.done(work.key);
          if (outcome === "retry") queue.retry(work.key);
          else queue.forget(work.key);
          if (typeof outcome === "number") queue.add(work.key, { afterMs: outcome });
          this.#busy -= 1;
          this.#work();
        }),
      );
    }
  }

  #reconcile(name: string, done: (outcome: "done" | "retry" | number) => void): void {
    const number = this.#numbers.get(name);
    if (number === undefined) {
      this.#fleet.note(name, undefined);
      this.#waiters.leave(name);
      return done("done");
    }
    if (this.#isBehind(name)) return done(behindMs);
    const facts = this.#observe(number);
    const key = number.name;
    const before = this.#standingOf(number, facts);
    this.#fleet.note(key, before);
    const turns = this.#fleet.turns(before.className, this.#options.classRules);
    const pods = this.#options.world.rules.planPods({ ...facts, ...turns });
    const advance = pods.actions.find((action) => action.kind === "advance");
    if (advance?.kind === "advance") {
      const isTakingOver = advance.why === "LeaseLapsed";
      const isMoving =
        advance.why === "SpecChanged" || advance.why === "NodeDraining" || (before.isMoving && !isTakingOver);
      this.#fleet.note(key, { ...before, isMoved: true, isReady: false, isMoving, isTakingOver });
    }
    const planned = { ...pods, status: {} };
    const { lookAgainMs } = this.#waiters.attend(
      key,
      before.className,
      this.#options.classRules,
      planned,
      advance !== undefined,
    );
    const plan = { ...pods, lookAgainMs };
    if (plan.actions.length > 0) {
      const told = plan.actions
        .map((action) => ("why" in action ? `${action.kind} ${action.why}` : action.kind))
        .join(", ");
      this.#options.world.trace(() => `${this.name}: ${name} epoch ${number.status.epoch}: ${told}`);
    }
    this.#execute({ number, facts, plan, done, actions: [...plan.actions] });
  }

  #isBehind(name: string): boolean {
    const numberVersion = this.#written.get(`number ${name}`) ?? 0;
    const podVersion = this.#written.get(`pod ${name}`) ?? 0;
    return this.#seenVersion.number < numberVersion || this.#seenVersion.pod < podVersion;
  }

  #observe(number: NumberObject): Omit<PodsFacts, "move" | "leave" | "takeover"> {
    const pods = Array.from(this.#pods.values())
      .filter(({ view }) => numberOf(view) === number.name && view.ownerUid === number.uid)
      .map(({ view }) => this.#podFacts(view))
      .sort((a, b) => a.epoch - b.epoch);
    return {
      isWanted: number.isWanted && !number.isDeleting,
      isComplete: true,
      epoch: number.status.epoch,
      podUid: number.status.podUid,
      specHash: number.specHash,
      pods,
      othersEpoch: this.#othersEpoch(number),
      endedUids: this.#endedUids,
      lease: this.#leaseFacts(number.name),
      disruption: "Migrate",
    };
  }

  #othersEpoch({ name, uid }: NumberObject): number {
    const others = Array.from(this.#pods.values()).filter(
      ({ view }) => numberOf(view) === name && view.ownerUid !== uid,
    );
    return Math.max(0, ...others.map(({ view }) => view.epoch));
  }

  #podFacts(view: PodView): PodFacts {
    const node = view.nodeName === undefined ? undefined : this.#nodes.get(view.nodeName)?.view;
    const { name, uid } = view.metadata;
    const wallMs = (): number => this.process.machine.wallMs();
    const monotonicMs = this.process.machine.monotonicMs();
    const { epoch, specHash, nodeName, isStarted, isReady, isEnded, isRestarting, isDeleting } = view;
    return {
      name,
      uid,
      epoch,
      specHash,
      nodeName,
      isStarted,
      isReady,
      isEnded,
      isRestarting,
      isDeleting,
      ageMs: Math.max(wallMs() - view.createdAt.getTime(), monotonicMs - (this.#firstSeenMs.get(uid) ?? monotonicMs)),
      isNodeLost: nodeName !== undefined && (node === undefined || node.isLost),
      isNodeDraining: node?.isDraining === true,
    };
  }

  #leaseFacts(name: string): PodsFacts["lease"] {
    if (this.#isRegisterAway) return { kind: "away", service: "messages", why: "no stream" };
    const known = this.#register.get(name);
    if (known === undefined) return { kind: "known", value: undefined };
    const { epoch, term, holder, isHeld, lapsedSinceMs } = known;
    const isTold = this.#isRegisterLive && lapsedSinceMs !== undefined;
    const lapsedForMs = isTold ? this.process.machine.monotonicMs() - lapsedSinceMs : undefined;
    const value: LeaseFacts = { epoch, term: BigInt(term), holder, isHeld, lapsedForMs };
    return { kind: "known", value };
  }

  #standingOf(number: NumberObject, { pods, lease, specHash }: Pick<PodsFacts, "pods" | "lease" | "specHash">) {
    const known = lease.kind === "known" ? lease.value : undefined;
    const newest = pods.at(-1);
    const waits = known?.isHeld === true && known.epoch < number.status.epoch;
    return {
      className: "standard",
      isMoving: waits && known.lapsedForMs === undefined,
      isTakingOver: waits && known.lapsedForMs !== undefined,
      isMoved: newest !== undefined && newest.specHash === specHash,
      isReady: newest?.isReady === true && known?.holder === newest.uid,
    };
  }

  #execute(step: Step): void {
    const { number, facts, plan, actions, done } = step;
    const action = actions.shift();
    if (action === undefined && number.isDeleting && facts.pods.length === 0) return this.#letGo(number, done);
    if (action === undefined) return this.#saveStatus(step);
    const next = (reply: Reply<unknown>): void => {
      if (!reply.ok) return done("retry");
      this.#execute(step);
    };
    switch (action.kind) {
      case "refresh":
        return done("retry");
      case "create":
        return this.#create(number, facts.specHash, action, next);
      case "revoke":
        return this.#lookLive(number, (live) => {
          if (!live.ok) return done("retry");
          this.#call("messages", () => this.#options.messages.end(number.name, Number(action.term), "revoked"), next);
        });
      case "delete":
        return this.#lookLive(number, (live) => {
          if (!live.ok) return done("retry");
          const { api } = this.#options;
          this.#call("api", () => ({ ok: true, value: api.deletePod(action.uid, false) }), next);
        });
      case "advance":
        return this.#advance(number, facts.specHash, action, (reply) => {
          if (!reply.ok) return done("retry");
          done(plan.lookAgainMs ?? toldMs);
        });
    }
  }

  #advance(
    number: NumberObject,
    specHash: string,
    action: Extract<PodAction, { kind: "advance" }>,
    next: (reply: Reply<unknown>) => void,
  ): void {
    const { api, world } = this.#options;
    this.#lookLive(number, (live) => {
      if (!live.ok) return next(live);
      const status = { epoch: action.to, podUid: undefined };
      const version = world.rules.swapsEpoch ? live.value.version : undefined;
      this.#writeStatus(
        () => api.writeStatus(number.name, number.uid, status, version),
        (written) => {
          if (!written.ok) return next(written);
          this.#written.set(`number ${number.name}`, written.value.version);
          world.judges.advanced(number.name, action.from, action.to, action.why);
          this.#create(number, specHash, { epoch: action.to, avoidNodes: action.avoidNodes }, next);
        },
      );
    });
  }

  #create(
    number: NumberObject,
    specHash: string,
    { epoch, avoidNodes }: { epoch: number; avoidNodes: readonly string[] },
    next: (reply: Reply<unknown>) => void,
  ): void {
    const { api } = this.#options;
    this.#call(
      "api",
      () => api.createPod(number, epoch, specHash, avoidNodes),
      (made) => {
        if (made.ok) this.#written.set(`pod ${number.name}`, made.value.version);
        next(made.ok || made.why === "conflict" ? { ok: true, value: made } : made);
      },
    );
  }

  #saveStatus({ number, facts, plan, done }: Step): void {
    const { api, world } = this.#options;
    const finish = (): void => done(plan.lookAgainMs ?? "done");
    const pod = facts.pods.find(({ epoch }) => epoch === number.status.epoch);
    if (pod === undefined || pod.uid === number.status.podUid) return finish();
    const status = { epoch: number.status.epoch, podUid: pod.uid };
    const version = world.rules.swapsEpoch ? number.version : undefined;
    this.#writeStatus(
      () => api.writeStatus(number.name, number.uid, status, version),
      (written) => {
        if (!written.ok) return done("retry");
        this.#written.set(`number ${number.name}`, written.value.version);
        finish();
      },
    );
  }

  #writeStatus(write: () => Reply<NumberObject>, done: (reply: Reply<NumberObject>) => void): void {
    const { lateWriteMs } = this;
    this.lateWriteMs = undefined;
    if (lateWriteMs === undefined) return this.#call("api", write, done);
    this.#options.world.agenda.after(lateWriteMs, () => void write());
    this.process.after(10_000, () => done({ ok: false, why: "lost" }));
  }

  /** The last finalizer goes, and the resource with it. */
  #letGo(number: NumberObject, done: (outcome: "done" | "retry") => void): void {
    const { api } = this.#options;
    this.#call(
      "api",
      () => {
        if (api.numbers.get(number.name)?.uid === number.uid) api.removeNumber(number.name);
        return { ok: true, value: true };
      },
      (reply) => done(reply.ok ? "done" : "retry"),
    );
  }

  /** The resource must be the one that was decided on. */
  #lookLive(number: NumberObject, next: (reply: Reply<NumberObject>) => void): void {
    const { api, world } = this.#options;
    if (!world.rules.looksLive) return next({ ok: true, value: number });
    this.#call(
      "api",
      () => {
        const live = api.numbers.get(number.name);
        const isSame =
          live?.uid === number.uid &&
          live.isDeleting === number.isDeleting &&
          live.isWanted === number.isWanted &&
          live.specHash === number.specHash &&
          live.status.epoch === number.status.epoch;
        return isSame ? { ok: true, value: live } : { ok: false, why: "conflict" };
      },
      next,
    );
  }

  #call<T>(to: Service, handle: () => Reply<T>, done: (reply: Reply<T>) => void): void {
    const { world, api, messages } = this.#options;
    this.diesAfterSteps -= 1;
    const isDying = this.diesAfterSteps <= 0;
    // A request on its way is not called back.
    const isUp = (): boolean => (to === "api" ? api.isUp : messages.isUp);
    if (!this.leads) return done({ ok: false, why: "lost" });
    call({ world, from: this.process, to, isUp, deadlineMs: 10_000, handle, done });
    if (!isDying) return;
    world.trace(() => `${this.name}: dies in the middle of its work`);
    this.die();
    world.agenda.after(between(world, 2_000, 15_000), () => this.start());
  }
}

type Step = {
  number: NumberObject;
  facts: Omit<PodsFacts, "move" | "leave" | "takeover">;
  plan: PodsPlan;
  actions: PodAction[];
  done: (outcome: "done" | "retry" | number) => void;
};

function numberOf({ number }: PodView): string {
  return number.slice("default/".length);
}
