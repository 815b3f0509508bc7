// A connection process: the real decisions of its session and clocks, around calls that may be lost and a wire that is judged.
import { type Backoff, backoffMs } from "../../services/connection/domain/backoff.ts";
import { type Clocks, renewRetryMs } from "../../services/connection/domain/lease-clock.ts";
import {
  askAgainInMs,
  firstState,
  type SessionEvent,
  type SessionState,
} from "../../services/connection/domain/session.ts";
import type { Messages } from "./messages.ts";
import { type Machine, Process } from "./time.ts";
import { between, call, type Failure, type Reply, type World } from "./world.ts";

type Carried = { messageId: string; attempt: number; isOnWire: boolean; begunAt: Clocks };

export type ConnectionOptions = {
  world: World;
  machine: Machine;
  messages: Messages;
  number: string;
  podUid: string;
  bootId: string;
  epoch: number;
  onExit: (exitCode: number) => void;
  onChange: () => void;
};

const acquireDeadlineMs = 3_000;
const beginDeadlineMs = 2_000;
const releaseMs = 1_000;
const drainMs = 4_000;
const reportMs = 1_500;
const beginRetry: Backoff = { firstMs: 50, factor: 2, maxMs: 1_000 };
const mostInFlight = 2;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly process: Process;
  state: SessionState = firstState;
  /** Called right before the first byte. */
  onGate: (() => void) | undefined;
  /** The next Begin is on its way, a second time, until another term was granted. */
  isBeginLate = false;
  #isFreeTold = false;
  #term = 0;
  #renewedAt: Clocks = { monotonicMs: 0, wallMs: 0 };
  #isRevoked = false;
  #isCut = false;
  #isClaiming = false;
  #failures = 0;
  readonly #inFlight = new Map<string, Carried>();
  #wakeAsking: (() => void) | undefined;
  #wakeRenewing: (() => void) | undefined;
  #stopRenewing = (): void => undefined;
  #unreported = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.process = new Process(options.machine, options.world.agenda);
    this.process.after(between(options.world, 300, 1_500), () => this.#ask());
  }

  get name(): string {
    return `${this.#options.podUid}/${this.#options.bootId}`;
  }
  get number(): string {
    return this.#options.number;
  }
  get epoch(): number {
    return this.#options.epoch;
  }
  get term(): number {
    return this.#term;
  }
  get podUid(): string {
    return this.#options.podUid;
  }
  get machine(): Machine {
    return this.#options.machine;
  }

  /** How long it would say, now, that it may send. */
  remainingMs(): number {
    if (this.#isRevoked || (this.state.tag !== "held" && this.state.tag !== "draining")) return 0;
    const { rules } = this.#options.world;
    return rules.remainingMs({ renewedAt: this.#renewedAt, stopAfterMs: rules.times.stopAfterMs }, this.#clocks());
  }

  /** What is on its way to the wire. */
  get isBusy(): boolean {
    return this.#inFlight.size > 0;
  }

  terminate(): void {
    this.process.after(1, () => this.#step({ kind: "stop" }));
  }

  hint(kind: "fence" | "lease" | "wake"): void {
    this.process.after(between(this.#options.world, 1, 20), () => {
      if (kind === "lease") this.#freeTold();
      else if (kind === "wake") this.#claim();
      else if (this.state.tag === "held") this.#wakeRenewing?.();
    });
  }

  /** Also while an earlier answer is on its way. */
  #freeTold(): void {
    this.#isFreeTold = true;
    this.#wakeAsking?.();
  }

  #clocks(): Clocks {
    const { machine } = this.#options;
    return { monotonicMs: machine.monotonicMs(), wallMs: machine.wallMs() };
  }

  #call<T>(deadlineMs: number, handle: () => Reply<T>, done: (reply: Reply<T>) => void): void {
    const { world, messages } = this.#options;
    call({ world, from: this.process, to: "messages", isUp: () => messages.isUp, deadlineMs, handle, done });
  }

  #step(event: SessionEvent): void {
    const { world, onChange } = this.#options;
    const before = this.state.tag;
    const { state, effects } = world.rules.nextSession(this.state, event);
    this.state = state;
    if (state.tag !== before) {
      world.trace(() => `${this.name}: ${before} -> ${state.tag} (${event.kind})`);
      onChange();
    }
    for (const effect of effects) {
      if (effect === "send") this.#send();
      else if (effect === "stopAsking") this.#wakeAsking?.();
      else if (effect === "forbid") this.#isRevoked = true;
      else if (effect === "drain") this.#drain();
      else if (effect === "release") this.#release();
      else this.#exit();
    }
  }

  #exit(): void {
    const { onExit } = this.#options;
    const exitCode = this.state.tag === "ended" ? this.state.exitCode : 1;
    this.process.kill();
    onExit(exitCode);
  }

  #ask(): void {
    if (this.state.tag !== "standby") return;
    if (this.state.isLeaving) return this.#step({ kind: "unanswered" });
    const { messages, number, podUid: holder, bootId, epoch, world } = this.#options;
    const askedAt = this.#clocks();
    const asker = { holder, bootId, epoch, address: bootId, takeOver: false };
    this.#isFreeTold = false;
    this.#call(
      acquireDeadlineMs,
      () => messages.acquire(number, asker),
      (reply) => {
        if (!reply.ok) {
          if (reply.why === "fenced") return this.#step({ kind: "fenced" });
          this.#failures += 1;
          return this.#askIn(askAgainInMs({ kind: "failed", failures: this.#failures }, world.random()));
        }
        this.#failures = 0;
        const { value } = reply;
        if (value.kind === "held") return this.#askIn(askAgainInMs(value, world.random()));
        this.#term = value.lease.term;
        this.#renewedAt = askedAt;
        this.#step({ kind: "granted", term: BigInt(value.lease.term) });
      },
    );
  }

  #askIn(pauseMs: number): void {
    if (this.state.tag === "standby" && this.state.isLeaving) return this.#step({ kind: "unanswered" });
    const wake = (): void => {
      cancel();
      this.#wakeAsking = undefined;
      this.#ask();
    };
    const cancel = this.process.after(this.#isFreeTold ? 0 : pauseMs, wake);
    this.#wakeAsking = wake;
  }

  #send(): void {
    this.#renewIn(this.#options.world.rules.times.renewEveryMs);
    this.#claim();
  }

  #renewIn(pauseMs: number): void {
    const wake = (): void => {
      cancel();
      this.#wakeRenewing = undefined;
      this.#renew();
    };
    const cancel = this.process.after(pauseMs, wake);
    this.#wakeRenewing = wake;
    this.#stopRenewing = () => {
      cancel();
      this.#wakeRenewing = undefined;
    };
  }

  #renew(): void {
    if (this.state.tag !== "held" && this.state.tag !== "draining") return;
    const { messages, number, world } = this.#options;
    const { renewEveryMs } = world.rules.times;
    const startedAt = this.#clocks();
    this.#call(
      renewEveryMs,
      () => messages.renew(number, this.#term),
      (reply) => {
        if (this.state.tag !== "held" && this.state.tag !== "draining") return;
        if (!reply.ok) {
          if (reply.why === "fenced") return this.#step({ kind: "fenced" });
          return this.#renewIn(renewRetryMs(renewEveryMs));
        }
        this.#renewedAt = startedAt;
        this.#renewIn(renewEveryMs);
        if (reply.value.handOver) this.#step({ kind: "handOver" });
        else if (reply.value.workDue) this.#claim();
      },
    );
  }

  #claim(): void {
    if (this.state.tag !== "held" || this.#isClaiming || this.#inFlight.size >= mostInFlight) return;
    if (this.remainingMs() <= 0) return;
    const { messages, number } = this.#options;
    this.#isClaiming = true;
    const held = new Set(this.#inFlight.keys());
    this.#call(
      beginDeadlineMs,
      () => messages.claim(number, this.#term, held),
      (reply) => {
        this.#isClaiming = false;
        if (!reply.ok) return reply.why === "fenced" ? this.#step({ kind: "fenced" }) : undefined;
        if (this.state.tag !== "held") return;
        for (const { messageId, attempt } of reply.value) this.#begin({ messageId, attempt });
      },
    );
  }

  #begin({ messageId, attempt }: { messageId: string; attempt: number }): void {
    if (this.remainingMs() <= 0) return;
    const carried: Carried = { messageId, attempt, isOnWire: false, begunAt: this.#clocks() };
    this.#inFlight.set(messageId, carried);
    if (this.#options.world.rules.beginsFirst) return this.#askBegin(carried, 1);
    this.#connect(carried);
    this.#askBegin(carried, 1);
  }

  #askBegin(carried: Carried, failures: number): void {
    const { messages, number, world } = this.#options;
    const { messageId, attempt } = carried;
    carried.begunAt = this.#clocks();
    if (this.isBeginLate) {
      messages.afterNextGrant(number, () => void messages.begin(number, this.#term, messageId, attempt));
      this.isBeginLate = false;
    }
    const isAhead = !world.rules.beginsFirst;
    this.#call(
      beginDeadlineMs,
      () => messages.begin(number, this.#term, messageId, attempt),
      (reply) => {
        if (isAhead) return;
        if (reply.ok) return reply.value ? this.#connect(carried) : this.#settle(carried, undefined);
        if (reply.why === "fenced") return this.#fencedAtBegin(carried, failures, reply.why);
        if (this.#isCut) return this.#settle(carried, "wait");
        this.process.after(backoffMs(beginRetry, failures, world.random()), () => {
          if (this.#isCut) this.#settle(carried, "wait");
          else this.#askBegin(carried, failures + 1);
        });
      },
    );
  }

  /** Certain after the first call only that nothing was written. */
  #fencedAtBegin(carried: Carried, failures: number, _why: Failure): void {
    this.#settle(carried, failures === 1 ? undefined : "wait");
    if (failures === 1) this.#step({ kind: "fenced" });
  }

  #connect(carried: Carried): void {
    const { world } = this.#options;
    this.process.after(between(world, 0.2, 2) * world.connectMs, () => {
      const may = world.rules.mayGoOnWire(this.remainingMs(), carried.begunAt, this.#clocks());
      if (!may || this.#isCut) return this.#settle(carried, "wait");
      const gateAtMs = world.agenda.nowMs;
      const { freezes } = this.process;
      this.onGate?.();
      // Between the last look and the write to the socket nothing waits; but a process may be stopped there.
      this.process.after(0.05, () => {
        carried.isOnWire = true;
        const wasStopped = this.process.freezes > freezes || world.agenda.nowMs - gateAtMs > 1;
        world.judges.frame({ connection: this, messageId: carried.messageId, gateAtMs, wasStopped });
        this.#awaitAnswer(carried);
      });
    });
  }

  #awaitAnswer(carried: Carried): void {
    const { world } = this.#options;
    const isLost = world.random() < 0.01;
    this.process.after(isLost ? 30_000 : between(world, 20, 200), () =>
      this.#settle(carried, isLost ? "unknown" : "taken"),
    );
  }

  #settle(carried: Carried, outcome: "taken" | "unknown" | "wait" | undefined): void {
    if (!this.#inFlight.delete(carried.messageId)) return;
    if (outcome !== undefined) {
      this.#unreported += 1;
      this.#report(carried, outcome);
    }
    this.#claim();
  }

  #report(carried: Carried, outcome: "taken" | "unknown" | "wait"): void {
    const { messages, number } = this.#options;
    this.#call(
      beginDeadlineMs,
      () => messages.finish(number, this.#term, carried.messageId, carried.attempt, outcome),
      (reply) => {
        if (reply.ok) this.#unreported -= 1;
        else this.process.after(500, () => this.#report(carried, outcome));
      },
    );
  }

  /** Lets the wire finish, then cuts it, then reports for a while. */
  #drain(): void {
    const startedAtMs = this.#clocks().monotonicMs;
    const look = (): void => {
      const spentMs = this.#clocks().monotonicMs - startedAtMs;
      if (this.#inFlight.size > 0 && spentMs < drainMs) return void this.process.after(50, look);
      this.#cut();
      if (this.#unreported > 0 && spentMs < drainMs + reportMs) return void this.process.after(100, look);
      this.#stopRenewing();
      this.#step({ kind: "drained" });
    };
    look();
  }

  #cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const carried of this.#inFlight.values()) this.#settle(carried, carried.isOnWire ? "unknown" : "wait");
  }

  #release(): void {
    const { messages, number } = this.#options;
    const term = this.state.tag === "releasing" ? Number(this.state.term) : this.#term;
    this.#call(
      releaseMs,
      () => messages.end(number, term, "released"),
      () => this.#step({ kind: "released" }),
    );
  }
}
