// The life of a connection process, by its lease:
//
//   standby   asks for the lease, waits while another holds it
//   held      sends and renews
//   draining  sends nothing new, lets what is at WhatsApp finish, reports it, gives the lease back
//   ended     `done` has the exit code: 0 after a hand-over or stop, 42 when another term was granted
//
// One `#setState` moves, only forward. A fenced process drains too (its last receipts count), but has nothing to give back.
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
import { type Backoff, backoffMs } from "./domain/backoff.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import { createProgress } from "./domain/progress.ts";
import type { StandingWord } from "./domain/standing.ts";
import { isFenced } from "./errors.ts";
import { type KeptLease, keepLease, type Lease } from "./lease.ts";
import type { Metrics } from "./metrics.ts";

/** What runs under the lease. */
export type Sending = {
  readonly standing: StandingWord;
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

type State =
  | { tag: "standby" }
  | { tag: "held"; lease: KeptLease; sending: Sending }
  | { tag: "draining"; lease: KeptLease }
  | { tag: "ended" };

const stateNumbers = { standby: 0, held: 1, draining: 2, ended: 3 } satisfies Record<State["tag"], number>;

const fencedExitCode = 42;
const acquireBackoff: Backoff = { firstMs: 200, factor: 2, maxMs: 5_000 };
const acquireDeadlineMs = 3_000;
// While another holds the lease and does not say when to ask again.
const askAgainMs = 5_000;
const releaseMs = 1_000;
// Draining, reporting and releasing together; a process that was told to stop is ended by then.
const leaveMs = 8_000;

export class Session implements AsyncDisposable {
  readonly #options: Options;
  readonly #bootId = randomUUID();
  readonly #done = Promise.withResolvers<number>();
  readonly #asking = new AbortController();
  readonly #asked: Promise<void>;
  /** Of asking for the lease, and of leaving. */
  readonly #progress = createProgress();
  #state: State = { tag: "standby" };
  #leaseFree = new AbortController();
  #ending: Promise<void> | undefined;
  #exitCode = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#asked = this.#ask();
  }

  /** The exit code, once the session has ended. */
  get done(): Promise<number> {
    return this.#done.promise;
  }

  /** The lease while it is held; undefined in every other state. */
  get lease(): Lease | undefined {
    return this.#state.tag === "held" ? this.#state.lease : undefined;
  }

  /** The loops that do not turn any more: only a restart helps. A peer that is away stops none. */
  stuck(): ("session" | "renew" | "send")[] {
    if (this.#progress.isStuck(this.#nowMs())) return ["session"];
    if (this.#state.tag !== "held") return [];
    const { lease, sending } = this.#state;
    return [...(lease.isStuck() ? ["renew" as const] : []), ...(sending.isStuck() ? ["send" as const] : [])];
  }

  /** Hint: the lease may be free. */
  leaseFree(): void {
    this.#leaseFree.abort();
  }

  /** Hint: someone wants the number. The next renewal tells whether that is so. */
  fence(): void {
    if (this.#state.tag === "held") this.#state.lease.renewNow();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end(0);
  }

  #nowMs(): number {
    return this.#options.clocks().monotonicMs;
  }

  #setState(next: State): void {
    this.#state = next;
    this.#options.metrics.leaseState.set(stateNumbers[next.tag]);
    this.#options.log.info({ state: next.tag }, "session state changed");
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
        if (held === undefined) return this.#progress.stop();
        failures = 0;
        pauseMs = held.retryAfterMs || askAgainMs;
        log.info({ holder: held.holder }, "another process holds the lease, waiting");
      } catch (error) {
        if (isFenced(error)) return void this.#end(fencedExitCode);
        failures += 1;
        pauseMs = backoffMs(acquireBackoff, failures, Math.random());
        log[failures === 1 ? "warn" : "debug"]({ err: error }, "lease cannot be asked for, will try again");
      }
      this.#progress.turn(this.#nowMs(), pauseMs);
      await sleep(pauseMs, AbortSignal.any([signal, this.#leaseFree.signal]));
    }
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
    // The process began to stop while the answer was on its way.
    if (this.#asking.signal.aborted) await this.#release(result.value.term);
    else this.#hold(result.value, askedAt);
    return undefined;
  }

  #hold(granted: LeaseGranted, askedAt: Clocks): void {
    const { config, log, startSending } = this.#options;
    const onFenced = (): void => void this.#end(fencedExitCode);
    const onRenewed = (reply: RenewResponse): void => this.#renewed(reply);
    log.info({ term: granted.term, cause: granted.cause, stopAfterMs: granted.stopAfterMs }, "lease granted");
    const lease = keepLease({
      ...this.#options,
      phoneNumberId: config.PHONE_NUMBER_ID,
      granted,
      askedAt,
      standing: () => (this.#state.tag === "held" ? this.#state.sending.standing : ""),
      onFenced,
      onRenewed,
    });
    this.#setState({ tag: "held", lease, sending: startSending(lease, onFenced) });
  }

  #renewed(reply: RenewResponse): void {
    if (this.#state.tag !== "held") return;
    this.#state.sending.renewed(reply);
    if (reply.handOver) void this.#end(0);
  }

  /** The first call decides; a fence that shows while draining still makes it the exit code. */
  #end(code: number): Promise<void> {
    if (code === fencedExitCode) {
      this.#exitCode = code;
      if (this.#state.tag === "held" || this.#state.tag === "draining") this.#state.lease.revoke();
    }
    this.#ending ??= this.#leave();
    return this.#ending;
  }

  async #leave(): Promise<void> {
    this.#asking.abort();
    if (this.#state.tag === "held") {
      const { lease, sending } = this.#state;
      this.#setState({ tag: "draining", lease });
      this.#progress.turn(this.#nowMs(), leaveMs);
      await sending.stop();
      await lease.stopRenewing();
      if (this.#exitCode === 0) await this.#release(lease.term);
    } else if (this.#exitCode === 0) {
      // An answer on its way may still be a grant.
      await this.#asked;
    }
    this.#setState({ tag: "ended" });
    this.#progress.stop();
    this.#done.resolve(this.#exitCode);
  }

  async #release(term: bigint): Promise<void> {
    const { config, messages, log } = this.#options;
    try {
      await messages.release({ phoneNumberId: config.PHONE_NUMBER_ID, term }, { deadlineMs: releaseMs });
      log.info({ term }, "lease released");
    } catch (error) {
      log.warn({ err: error, term }, "lease could not be released, it will lapse");
    }
  }
}
