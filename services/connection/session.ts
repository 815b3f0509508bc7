// The life of a connection process, by its lease, as domain/session.ts decides it:
//
//   standby   asks for the lease, waits while another holds it
//   held      sends and renews
//   draining  sends nothing new, lets what is at WhatsApp finish, reports it, gives the lease back
//   ended     `done` has the exit code: 0 after a hand-over or stop, 42 when another term was granted
//
// A fenced process drains too (its last receipts count), but has nothing to give back.
import { randomUUID } from "node:crypto";
import type { Client } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type {
  LeaseGranted,
  LeaseHeld,
  MessagesService,
  RenewResponse,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Config } from "./config.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import { createProgress } from "./domain/progress.ts";
import {
  askAgainInMs,
  firstState,
  nextSession,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  type SessionStep,
} from "./domain/session.ts";
import type { ToldStanding } from "./domain/known.ts";
import { isFenced } from "./errors.ts";
import { type KeptLease, keepLease, type Lease } from "./lease.ts";
import type { Metrics } from "./metrics.ts";

/** What runs under the lease. */
export type Sending = {
  readonly standing: ToldStanding;
  /** It does not turn any more, whatever its peers do. */
  isStuck(): boolean;
  renewed(reply: RenewResponse): void;
  /** Begins nothing new; resolves when everything on the wire has an outcome that is reported, or the time for it is over. */
  stop(): Promise<void>;
};

type Options = {
  config: Config;
  /** Of this process' Upstream service. */
  address: string;
  messages: Client<typeof MessagesService>;
  clocks: () => Clocks;
  log: Log;
  metrics: Metrics;
  startSending: (lease: Lease, onFenced: () => void) => Sending;
};

const stateNumbers = {
  standby: 0,
  held: 1,
  draining: 2,
  releasing: 2,
  ended: 3,
} satisfies Record<SessionState["tag"], number>;

const acquireDeadlineMs = 3_000;
const releaseMs = 1_000;
// Draining, reporting and releasing together; a process that was told to stop is ended by then.
const leaveMs = 8_000;

export class Session implements AsyncDisposable {
  readonly #options: Options;
  readonly #bootId = randomUUID();
  readonly #done = Promise.withResolvers<number>();
  readonly #asking = new AbortController();
  /** Of asking for the lease, and of leaving. */
  readonly #progress = createProgress();
  #state: SessionState = firstState;
  /** From the grant on, whatever became of it. */
  #work: { lease: KeptLease; sending: Sending } | undefined;
  #leaseFree = new AbortController();

  constructor(options: Options) {
    this.#options = options;
    void this.#ask();
  }

  /** The exit code, once the session has ended. */
  get done(): Promise<number> {
    return this.#done.promise;
  }

  /** The lease while it is held; undefined in every other state. */
  get lease(): Lease | undefined {
    return this.#held?.lease;
  }

  /** The loops that do not turn any more: only a restart helps. A peer that is away stops none. */
  stuck(): ("session" | "renew" | "send")[] {
    if (this.#progress.isStuck(this.#nowMs())) return ["session"];
    if (this.#held === undefined) return [];
    const { lease, sending } = this.#held;
    return [...(lease.isStuck() ? ["renew" as const] : []), ...(sending.isStuck() ? ["send" as const] : [])];
  }

  /** Hint: the lease may be free. */
  leaseFree(): void {
    this.#leaseFree.abort();
  }

  /** Hint: someone wants the number. The next renewal tells whether that is so. */
  fence(): void {
    this.#held?.lease.renewNow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#step({ kind: "stop" });
    await this.done;
  }

  get #held(): { lease: KeptLease; sending: Sending } | undefined {
    return this.#state.tag === "held" ? this.#work : undefined;
  }

  #nowMs(): number {
    return this.#options.clocks().monotonicMs;
  }

  #step(event: Exclude<SessionEvent, { kind: "granted" }>): void {
    this.#become(nextSession(this.#state, event));
  }

  #become({ state, effects }: SessionStep): void {
    if (state.tag !== this.#state.tag) {
      this.#options.metrics.leaseState.set(stateNumbers[state.tag]);
      this.#options.log.info({ state: state.tag }, "session state changed");
    }
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SessionEffect): void {
    switch (effect) {
      case "send":
        // By whoever has what was granted.
        return;
      case "stopAsking":
        return this.#asking.abort();
      case "forbid":
        return this.#work?.lease.revoke();
      case "drain":
        return void this.#drain();
      case "release":
        return void this.#release();
      case "end":
        this.#progress.stop();
        if (this.#state.tag === "ended") this.#done.resolve(this.#state.exitCode);
    }
  }

  async #ask(): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#asking;
    for (let failures = 0; !signal.aborted;) {
      this.#leaseFree = new AbortController();
      let pauseMs: number;
      try {
        this.#progress.turn(this.#nowMs(), acquireDeadlineMs);
        const held = await this.#acquire();
        if (held === undefined) return;
        failures = 0;
        pauseMs = askAgainInMs({ kind: "held", retryAfterMs: held.retryAfterMs }, Math.random());
        log.info({ holder: held.holder }, "another process holds the lease, waiting");
      } catch (error) {
        if (isFenced(error)) return this.#step({ kind: "fenced" });
        failures += 1;
        pauseMs = askAgainInMs({ kind: "failed", failures }, Math.random());
        log[failures === 1 ? "warn" : "debug"]({ err: error }, "lease cannot be asked for, will try again");
      }
      this.#progress.turn(this.#nowMs(), pauseMs);
      await sleep(pauseMs, AbortSignal.any([signal, this.#leaseFree.signal]));
    }
    this.#step({ kind: "unanswered" });
  }

  /** Undefined when the lease was granted; else who has it. */
  async #acquire(): Promise<LeaseHeld | undefined> {
    const { config, address, messages, clocks } = this.#options;
    const { PHONE_NUMBER_ID: phoneNumberId, HOLDER: holder, EPOCH: epoch, TAKE_OVER: takeOver } = config;
    const askedAt = clocks();
    const { result } = await messages.acquire(
      { phoneNumberId, holder, bootId: this.#bootId, epoch: BigInt(epoch), address, takeOver },
      { deadlineMs: acquireDeadlineMs },
    );
    if (result.case === "held") return result.value;
    if (result.case === undefined) throw new Error(`acquire of number ${phoneNumberId} has an empty answer`);
    this.#granted(result.value, askedAt);
    return undefined;
  }

  #granted(granted: LeaseGranted, askedAt: Clocks): void {
    const { term } = granted;
    const step = nextSession(this.#state, { kind: "granted", term });
    this.#progress.stop();
    if (step.effects.includes("send")) this.#work = this.#startWork(granted, askedAt);
    this.#become(step);
  }

  #startWork(granted: LeaseGranted, askedAt: Clocks): { lease: KeptLease; sending: Sending } {
    const { config, log, startSending } = this.#options;
    const onFenced = (): void => this.#step({ kind: "fenced" });
    log.info({ term: granted.term, cause: granted.cause, stopAfterMs: granted.stopAfterMs }, "lease granted");
    const lease = keepLease({
      ...this.#options,
      phoneNumberId: config.PHONE_NUMBER_ID,
      granted,
      askedAt,
      // Also while draining: what the last renewal says of the number is what the next holder knows.
      standing: () => this.#work?.sending.standing,
      onFenced,
      onRenewed: (reply) => this.#renewed(reply),
    });
    return { lease, sending: startSending(lease, onFenced) };
  }

  #renewed(reply: RenewResponse): void {
    this.#held?.sending.renewed(reply);
    if (reply.handOver) this.#step({ kind: "handOver" });
  }

  async #drain(): Promise<void> {
    if (this.#work === undefined) throw new Error("nothing to drain: the lease was never held");
    const { lease, sending } = this.#work;
    this.#progress.turn(this.#nowMs(), leaveMs);
    await sending.stop();
    await lease.stopRenewing();
    this.#step({ kind: "drained" });
  }

  async #release(): Promise<void> {
    const { config, messages, log } = this.#options;
    if (this.#state.tag !== "releasing") return;
    const { term } = this.#state;
    try {
      const told = this.#work?.sending.standing;
      const wasRegistered = told === undefined ? {} : { wasRegistered: told.wasRegistered };
      await messages.release(
        { phoneNumberId: config.PHONE_NUMBER_ID, term, ...wasRegistered },
        { deadlineMs: releaseMs },
      );
      log.info({ term }, "lease released");
    } catch (error) {
      log.warn({ err: error, term }, "lease could not be released, it will lapse");
    }
    this.#step({ kind: "released" });
  }
}
