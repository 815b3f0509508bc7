// Sends for one number under one lease: takes messages from the queue as fast as it may, and settles what became of them.
// Wakes come from outside (news, renewals) and from within (due times, freed room, pace); at rest nothing runs.
import type { Client } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { MessagesService, RenewResponse } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { createBeginning } from "./beginning.ts";
import type { Config } from "./config.ts";
import { backoffMs } from "./domain/backoff.ts";
import type { ToldStanding } from "./domain/known.ts";
import type { Lane } from "./domain/lanes.ts";
import type { Look } from "./domain/outcome.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import { createProgress } from "./domain/progress.ts";
import type { Standing } from "./domain/standing.ts";
import { rateWithin } from "./domain/throughput.ts";
import type { FactsSource } from "./facts.ts";
import { InFlight } from "./in-flight.ts";
import type { Lease } from "./lease.ts";
import { createLooks, type Looks } from "./looks.ts";
import type { Metrics, Snapshot } from "./metrics.ts";
import { Queue } from "./queue.ts";
import { createReceipts, type Receipts } from "./receipts.ts";
import { createSender, type Sent } from "./sender.ts";
import type { Sending } from "./session.ts";
import { type Pace, Throttle } from "./throttle.ts";
import type { Token } from "./token.ts";
import type { Upstream } from "./upstream.ts";
import { type Held, toBroken, toKnownBefore, toRefused, toTaken, toUnknown } from "./wire.ts";

type Options = {
  config: Config;
  lease: Lease;
  messages: Client<typeof MessagesService>;
  facts: FactsSource;
  upstream: Upstream;
  token: Token;
  now: () => Date;
  clocks: () => Clocks;
  log: Log;
  metrics: Metrics;
  onFenced: () => void;
};

// Of a spec that names none.
const defaultRate = 20;
// For the last outcomes, after the wire is quiet.
const reportMs = 1_500;
// A message that could not be begun for sure is not tried again at once.
const handedBackMs = 200;
// With more outcomes that the ledger does not take, nothing more is claimed: memory has an end.
const unreportedWindows = 4;
// Every renewal turns the pump, while the lease is good; far above any time between two.
const pumpMs = 30_000;
// Past the end of its time on the wire a message has an outcome at once.
const wireSlackMs = 15_000;

export class Scheduler implements Sending {
  readonly #options: Options;
  readonly #inFlight = new InFlight();
  readonly #progress = createProgress();
  readonly #looks: Looks;
  readonly #throttle: Throttle;
  readonly #queue: Queue;
  readonly pace = (recipients: readonly string[]): Pace => this.#throttle.plan(recipients);
  readonly #receipts: Receipts;
  readonly #send: (held: Held) => Promise<Sent>;
  /** Ends what is on the wire. */
  readonly #cut = new AbortController();
  /** Ends the reporting. */
  readonly #close = new AbortController();
  readonly #quiet = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #wasUnregistered = false;
  #isStopping = false;

  constructor(options: Options) {
    const { config, lease, clocks, messages, metrics } = options;
    const phoneNumberId = config.PHONE_NUMBER_ID;
    const { term } = lease;
    const mostUnreported = unreportedWindows * config.HELD_LIMIT;
    const nowMs = (): number => clocks().monotonicMs;
    this.#options = options;
    this.#looks = createLooks({ ...options, phoneNumberId, nowMs, onLook: (look) => this.looked(look) });
    const messagesPerSecond = (): number =>
      rateWithin(lease.number()?.spec?.messagesPerSecond || defaultRate, this.#looks.throughputLevel());
    this.#throttle = new Throttle({
      messagesPerSecond,
      inFlightLimit: config.IN_FLIGHT_LIMIT,
      token: options.token,
      before: toKnownBefore(lease.number()),
      nowMs,
      onStanding: (standing) => this.#standingChanged(standing),
      onRegistration: () => lease.renewNow(),
    });
    this.#receipts = createReceipts({
      ...options,
      phoneNumberId,
      term,
      signal: this.#close.signal,
      onWritten: (receipt) => this.#queue.written(receipt),
    });
    this.#queue = new Queue({
      ...options,
      heldLimit: config.HELD_LIMIT,
      messagesPerSecond,
      nowMs,
      wabaId: () => lease.number()?.wabaId ?? "",
      claim: (request, signal) => messages.claim({ phoneNumberId, term, ...request }, { signal }),
      mayClaim: () => lease.remainingMs() > 0 && !this.#throttle.isResting && this.#receipts.pending() < mostUnreported,
      pairWaitMs: (recipient) => this.#throttle.pairWaitMs(recipient),
      unreportedIds: this.#receipts.pendingIds,
      report: (receipt) => this.#receipts.add(receipt),
      count: (outcome) => metrics.outcomes.inc({ outcome }),
      onReady: () => this.#pump(),
    });
    this.#send = createSender({
      ...options,
      phoneNumberId,
      beginning: createBeginning({ ...options, phoneNumberId, term, signal: this.#cut.signal }),
      signal: this.#cut.signal,
      onWire: (held) => this.#onWire(held),
    });
  }

  /** The ledger may have work. */
  wake(): void {
    this.#queue.wake();
  }

  /** Something about the number itself may have changed at the upstream. */
  look(): void {
    this.#looks.look();
  }

  /** What was learned of the number besides its messages. */
  looked(look: Look): void {
    this.#throttle.observeLook(look);
    // What was just done is believed when the number shows it.
    if (look.kind === "registered" || look.kind === "deregistered") this.#looks.lookAnew();
    this.#resume();
  }

  get standing(): ToldStanding {
    return this.#throttle.told(this.#options.now());
  }

  isStuck(): boolean {
    const { clocks, config, lease } = this.#options;
    const nowMs = clocks().monotonicMs;
    const isPumpStuck = lease.remainingMs() > 0 && this.#progress.isStuck(nowMs);
    const longestMs = config.UPSTREAM_TIMEOUT_MS + wireSlackMs;
    return isPumpStuck || this.#queue.isStuck(nowMs) || this.#inFlight.isAnySince(nowMs - longestMs);
  }

  renewed({ workDue }: RenewResponse): void {
    if (workDue) this.#queue.wake();
    else this.#queue.poke();
    this.#pump();
    // Without a message to try, only a look can show that the trouble is over.
    const isIdle = !workDue && this.#queue.isEmpty && this.#inFlight.size === 0;
    if (isIdle && this.#throttle.isForLooks) this.#looks.look();
    else if (!this.#throttle.isResting) this.#looks.lookIfDue();
  }

  async stop(): Promise<void> {
    const { config, lease, log } = this.#options;
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const looking = this.#looks.stop();
    if (this.#inFlight.size === 0) this.#quiet.resolve();
    const isQuiet = new AbortController();
    void this.#quiet.promise.then(() => isQuiet.abort());
    await Promise.all([this.#queue.stop(), sleep(config.DRAIN_MS, isQuiet.signal)]);
    if (this.#inFlight.size > 0)
      log.warn({ term: lease.term, inFlight: this.#inFlight.size }, "ending what is still on the wire");
    this.#cut.abort();
    await Promise.all([this.#quiet.promise, looking]);
    await this.#receipts.flush(AbortSignal.timeout(reportMs));
    this.#close.abort();
    if (this.#receipts.pending() > 0)
      log.warn({ unreported: this.#receipts.pending() }, "outcomes could not be reported in time");
  }

  snapshot(): Omit<Snapshot, "leaseRemainingMs"> {
    return {
      paceTarget: this.#throttle.target,
      paceUsed: this.#throttle.used,
      heldReply: this.#queue.size("reply"),
      heldBulk: this.#queue.size("bulk"),
      inFlight: this.#inFlight.size,
      unreported: this.#receipts.pending(),
      isResting: !this.#throttle.isOpen,
    };
  }

  /**
   * Starts whatever may start now, and sets the timer for what time alone will allow. One reading of the clock serves both:
   * what is a moment too early for the one would else be no more to wait for to the other.
   */
  #pump(): void {
    if (this.#isStopping) return;
    clearTimeout(this.#timer);
    const nowMs = this.#options.clocks().monotonicMs;
    this.#start(nowMs);
    this.#progress.turn(nowMs, pumpMs);
  }

  #start(nowMs: number): void {
    // Without a good lease nothing is begun; the next renewal comes back here.
    if (this.#options.lease.remainingMs() <= 0) return;
    const isOpen = (lane: Lane): boolean => lane === "reply" || this.#throttle.mayStartBulk(this.#inFlight.bulk, nowMs);
    while (this.#throttle.mayStart(this.#inFlight.size, nowMs)) {
      const held = this.#queue.next(isOpen, nowMs);
      if (held === undefined) break;
      this.#throttle.reserve(held.lane, nowMs);
      this.#inFlight.add(held);
      void this.#carry(held);
    }
    if (this.#queue.isEmpty && !this.#throttle.isResting) return;
    const waits = [this.#throttle.changesInMs(this.#inFlight.size, nowMs), this.#queue.soonestInMs(nowMs)];
    const waitMs = Math.min(...waits.filter((ms) => ms !== undefined));
    if (Number.isFinite(waitMs)) this.#timer = setTimeout(() => this.#resume(), Math.ceil(waitMs));
  }

  #standingChanged(standing: Standing): void {
    const { lease, log } = this.#options;
    log.info({ standing }, "standing with the upstream changed");
    const isUnregistered = this.#throttle.isUnregistered;
    // The number may be another's: is it still ours? And who registers it must not do so again. All else is told with the next renewal.
    if (isUnregistered !== this.#wasUnregistered || (isUnregistered && standing.state === "resting")) lease.renewNow();
    this.#wasUnregistered = isUnregistered;
  }

  #resume(): void {
    this.#pump();
    // A rest may be over, and claiming allowed again.
    this.#queue.poke();
  }

  #onWire(held: Held): void {
    this.#inFlight.toWire(held, this.#options.clocks().monotonicMs);
    this.#throttle.take(held.recipient);
    // Only now is it known when its slot is free again, and the answer may take long.
    queueMicrotask(() => this.#pump());
    if (held.message.attempt > 1) return;
    this.#options.metrics.acceptToWire.observe(Math.max(0, this.#options.now().getTime() - held.acceptedAtMs) / 1_000);
  }

  async #carry(held: Held): Promise<void> {
    let sent: Sent;
    try {
      sent = await this.#send(held);
    } catch (error) {
      // A bug that one message brings out must not end the number's process, which would claim it again.
      this.#options.log.error({ err: error, messageId: held.messageId }, "send failed unexpectedly");
      sent = this.#inFlight.isOnWire(held) ? { outcome: "unknown", reason: "internal" } : { outcome: "broken" };
    }
    if (!this.#inFlight.isOnWire(held)) this.#throttle.giveBack();
    this.#inFlight.remove(held);
    this.#settle(held, sent);
    this.#queue.finish(held);
    if (this.#isStopping && this.#inFlight.size === 0) this.#quiet.resolve();
    this.#pump();
  }

  #settle(held: Held, sent: Sent): void {
    const { metrics, now, log, onFenced } = this.#options;
    const { messageId, attempt } = held.message;
    const of = { message: held.message, at: now() };
    const outcome = sent.outcome === "wait" || sent.outcome === "handed_back" ? "waiting" : sent.outcome;
    metrics.outcomes.inc({ outcome });
    log.debug({ messageId, attempt, outcome, reason: "reason" in sent ? sent.reason : undefined }, "message settled");
    switch (sent.outcome) {
      case "fenced":
        return onFenced();
      case "dropped":
        return;
      case "broken":
        return this.#receipts.add(toBroken(of));
      case "handed_back":
        return this.#queue.putBack(held, "not_on_wire", new Date(of.at.getTime() + handedBackMs));
      case "taken":
        this.#throttle.observe(sent);
        return this.#receipts.add(toTaken(of, sent.wamid));
      case "refused":
        this.#throttle.observe(sent);
        return this.#receipts.add(toRefused(of, sent.error));
      case "unknown":
        this.#throttle.observe(sent);
        return this.#receipts.add(toUnknown(of, sent.reason));
      case "wait": {
        this.#throttle.observe(sent);
        const ownMs = backoffMs(sent.backoff, held.message.attempt, Math.random());
        const waitMs = sent.scope === "number" ? this.#throttle.restMs : ownMs;
        return this.#queue.putBack(held, sent.reason, new Date(of.at.getTime() + waitMs));
      }
    }
  }
}
