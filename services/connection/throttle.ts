// How fast the number may use its upstream now: the pace of its spec, what refusals made of it, and the upstream's standing.
import type { Lane } from "./domain/lanes.ts";
import { decideLook, type Look, type Outcome, toStandingEvent } from "./domain/outcome.ts";
import { createNumberPace, createPairPaces, type NumberPace } from "./domain/pace.ts";
import { afterThrottle, fullSpeed, rateNow } from "./domain/slowdown.ts";
import {
  nextStanding,
  openStanding,
  type Standing,
  type StandingEvent,
  type StandingWord,
  toWord,
} from "./domain/standing.ts";
import type { Token } from "./token.ts";

type Options = {
  /** Of the number's spec within what the upstream allows, as it is now. */
  messagesPerSecond: () => number;
  inFlightLimit: number;
  token: Token;
  /** Monotonic. */
  nowMs: () => number;
  onStanding: (standing: Standing) => void;
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
  #standing: Standing = openStanding;
  #refusedToken = "";

  constructor(options: Options) {
    this.#options = options;
    this.#pace = createNumberPace(options.messagesPerSecond());
  }

  /** Nothing may start, and claiming makes no sense. */
  get isResting(): boolean {
    return this.#standing.state === "resting";
  }

  get isOpen(): boolean {
    return this.#standing.state === "open";
  }

  /** One message at a time shows whether the trouble is over. */
  get isProbing(): boolean {
    return this.#standing.state === "probing";
  }

  get word(): StandingWord {
    return toWord(this.#standing);
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
    const event = toStandingEvent(outcome);
    if (event !== undefined) this.#move(event);
  }

  /** What a look at the number says, for a number that probes: any other is judged by its messages. */
  observeLook(look: Look): void {
    const event = decideLook(look);
    if (this.isProbing && event !== undefined) this.#move(event);
  }

  #limit(): number {
    if (this.#standing.state === "resting") return 0;
    return this.#standing.state === "probing" ? 1 : this.#options.inFlightLimit;
  }

  #move(event: StandingEvent): void {
    const before = this.#standing;
    this.#standing = nextStanding(before, event, this.#options.nowMs(), Math.random());
    const after = this.#standing;
    if (after.state === before.state) return;
    if (after.state === "resting" && after.reason === "token_refused")
      this.#refusedToken = this.#options.token.current();
    this.#options.onStanding(after);
  }
}
