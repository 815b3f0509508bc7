// A connection process: the real decisions of its session and clocks, around calls that may be lost.
import { type Clocks, renewRetryMs } from "../../services/connection/domain/lease-clock.ts";
import {
  askAgainInMs,
  firstState,
  type SessionEvent,
  type SessionState,
} from "../../services/connection/domain/session.ts";
import type { Messages } from "./messages.ts";
import { Sending } from "./sending.ts";
import { type Machine, Process } from "./time.ts";
import { between, call, type Reply, type World } from "./world.ts";

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
const releaseMs = 1_000;
const drainMs = 4_000;
const reportMs = 1_500;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly process: Process;
  state: SessionState = firstState;
  readonly sending: Sending;
  #isFreeTold = false;
  #term = 0;
  #renewedAt: Clocks = { monotonicMs: 0, wallMs: 0 };
  #isRevoked = false;
  #failures = 0;
  #wakeAsking: (() => void) | undefined;
  #wakeRenewing: (() => void) | undefined;
  #stopRenewing = (): void => undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { world, messages } = options;
    this.process = new Process(options.machine, world.agenda);
    this.sending = new Sending({
      world,
      messages,
      connection: this,
      clocks: () => this.#clocks(),
      call: (deadlineMs, handle, done) => this.#call(deadlineMs, handle, done),
      onFenced: () => this.#step({ kind: "fenced" }),
    });
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

  terminate(): void {
    this.process.after(1, () => this.#step({ kind: "stop" }));
  }

  hint(kind: "fence" | "lease" | "wake"): void {
    this.process.after(between(this.#options.world, 1, 20), () => {
      if (kind === "lease") this.#freeTold();
      else if (kind === "wake") this.sending.claim();
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
        this.#term = value.term;
        this.#renewedAt = askedAt;
        this.#step({ kind: "granted", term: BigInt(value.term) });
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
    this.sending.claim();
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
        else if (reply.value.workDue) this.sending.claim();
      },
    );
  }

  /** Lets the wire finish, then cuts it, then reports for a while. */
  #drain(): void {
    const startedAtMs = this.#clocks().monotonicMs;
    const look = (): void => {
      const spentMs = this.#clocks().monotonicMs - startedAtMs;
      if (!this.sending.isQuiet && spentMs < drainMs) return void this.process.after(50, look);
      this.sending.cut();
      if (this.sending.isUnreported && spentMs < drainMs + reportMs) return void this.process.after(100, look);
      this.#stopRenewing();
      this.#step({ kind: "drained" });
    };
    look();
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
