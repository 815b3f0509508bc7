// How fast the number may use its upstream now: the pace of its spec, what refusals made of it, and the upstream's standing.
import type { Lane } from "./domain/lanes.ts";
import {
  afterEvent,
  afterLook,
  afterOutcome,
  firstKnown,
  type Known,
  type ToldStanding,
  toTold,
} from "./domain/known.ts";
import type { Look, Outcome } from "./domain/outcome.ts";
import { createNumberPace, createPairPaces, type NumberPace } from "./domain/pace.ts";
import { afterThrottle, fullSpeed, rateNow } from "./domain/slowdown.ts";
import {
  isForLooks,
  isUnregistered,
  type Standing,
  type StandingEvent,
  type StandingWord,
  toWord,
} from "./domain/standing.ts";
import type { Token } from "./token.ts";

/** How fast the number sends now. */
export type Pace = {
  messagesPerSecond: number;
  /** Why nothing goes, or one message at a time; empty: messages go. */
  restingReason: string;
  restingMs: number;
  /** In the order asked. */
  pairWaitMs: number[];
};

type Options = {
  /** Of the number's spec within what the upstream allows, as it is now. */
  messagesPerSecond: () => number;
  inFlightLimit: number;
  token: Token;
  /** What the ledger says of the time before this process held the number: domain/known.ts. */
  before: { wasRegistered: boolean; isConflict: boolean };
  /** Monotonic. */
  nowMs: () => number;
  onStanding: (standing: Standing) => void;
  /** The ledger does not know yet that the number was registered, or deregistered. */
  onRegistration: () => void;
};

// While the token is refused, how often to look whether its file has changed.
const tokenLookMs = 2_000;
// Bulk leaves this share of what may be in flight to replies: an upstream that is slow to take a broadcast must not hold them up.
const bulkShare = 0.75;

export class Throttle {
  readonly #options: Options;
  readonly #pace: NumberPace;
  readonly #pairs = createPairPaces();
  #slowdown = fullSpeed;
  #known: Known;
  #refusedToken = "";

  constructor(options: Options) {
    this.#options = options;
    this.#known = firstKnown(options.before);
    this.#pace = createNumberPace(options.messagesPerSecond());
  }

  /** Nothing may start, and claiming makes no sense. */
  get isResting(): boolean {
    return this.#standing.state === "resting";
  }

  get isOpen(): boolean {
    return this.#standing.state === "open";
  }

  /** Where no message is there to show whether the trouble is over, a look may. */
  get isForLooks(): boolean {
    return isForLooks(this.#standing);
  }

  get word(): StandingWord {
    return toWord(this.#standing);
  }

  /** WhatsApp does not take the number's messages from here until someone has acted. */
  get isUnregistered(): boolean {
    return isUnregistered(this.word);
  }

  /** What the ledger is told with a renewal; `now` is the wall clock's. */
  told(now: Date): ToldStanding {
    return toTold(this.#known, this.#options.nowMs(), now);
  }

  /** How long the number rests still. */
  get restMs(): number {
    return this.#standing.state === "resting" ? Math.max(0, this.#standing.untilMs - this.#options.nowMs()) : 0;
  }

  /** Messages per second that may go. */
  get target(): number {
    return rateNow(this.#options.messagesPerSecond(), this.#slowdown, this.#options.nowMs());
  }

  /** Messages that went in the last second. */
  get used(): number {
    return this.#pace.used(this.#options.nowMs());
  }

  /** Whether one more may start, beside those in flight. */
  mayStart(inFlight: number, nowMs: number): boolean {
    this.#pace.setRate(this.target);
    this.#move({ event: "time" });
    if (this.isResting && this.#options.token.current() !== this.#refusedToken) this.#move({ event: "token_changed" });
    return inFlight < this.#limit() && this.#pace.free(nowMs) > 0;
  }

  /** The same of bulk, beside what is in flight of it. */
  mayStartBulk(bulkInFlight: number, nowMs: number): boolean {
    return bulkInFlight < Math.max(1, Math.floor(this.#limit() * bulkShare)) && this.#pace.bulkInMs(nowMs) === 0;
  }

  /** When time alone may let another one start; undefined when it may now, or only an outcome can. */
  changesInMs(inFlight: number, nowMs: number): number | undefined {
    if (this.#standing.state === "resting") {
      const leftMs = Math.max(1, this.#standing.untilMs - nowMs);
      return this.#standing.reason === "token_refused" ? Math.min(leftMs, tokenLookMs) : leftMs;
    }
    if (inFlight >= this.#limit()) return undefined;
    const freeInMs = this.#pace.freeInMs(nowMs);
    return freeInMs === 0 ? this.#pace.bulkInMs(nowMs) || undefined : freeInMs;
  }

  /** What messages to these users would have to wait for, in this order. Takes nothing. */
  plan(recipients: readonly string[]): Pace {
    return {
      messagesPerSecond: this.target,
      restingReason: this.#standing.state === "open" ? "" : this.#standing.reason,
      restingMs: Math.ceil(this.restMs),
      pairWaitMs: this.#pairs.plan(recipients, this.#options.nowMs()),
    };
  }

  pairWaitMs(recipient: string): number {
    return this.#pairs.waitMs(recipient, this.#options.nowMs());
  }

  /** Before Begin. What is reserved is taken or given back. */
  reserve(lane: Lane, nowMs: number): void {
    this.#pace.reserve(lane, nowMs);
  }

  /** At the first byte. */
  take(recipient: string): void {
    this.#pace.take(this.#options.nowMs());
    this.#pairs.take(recipient, this.#options.nowMs());
  }

  giveBack(): void {
    this.#pace.giveBack();
  }

  /** What an outcome says of the number as a whole. */
  observe(outcome: Outcome): void {
    if (outcome.outcome === "wait" && outcome.slower)
      this.#slowdown = afterThrottle(this.#slowdown, this.#options.nowMs());
    this.#learn(afterOutcome(this.#known, outcome, this.#options.nowMs(), Math.random()));
  }

  /** What a look at the number says. */
  observeLook(look: Look): void {
    this.#learn(afterLook(this.#known, look, this.#options.nowMs(), Math.random()));
  }

  get #standing(): Standing {
    return this.#known.standing;
  }

  #limit(): number {
    if (this.#standing.state === "resting") return 0;
    return this.#standing.state === "probing" ? 1 : this.#options.inFlightLimit;
  }

  #move(event: StandingEvent): void {
    this.#learn(afterEvent(this.#known, event, this.#options.nowMs(), Math.random()));
  }

  #learn(known: Known): void {
    const before = this.#known;
    this.#known = known;
    const { standing } = known;
    if (standing.state !== before.standing.state) {
      if (standing.state === "resting" && standing.reason === "token_refused")
        this.#refusedToken = this.#options.token.current();
      this.#options.onStanding(standing);
    }
    if (known.wasRegistered !== before.wasRegistered) this.#options.onRegistration();
  }
}
