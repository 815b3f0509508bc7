// The messages in memory: claimed in windows, judged, kept in order, each leaving once, over the wire or by an outcome before it.
// Memory holds a window of the number's queue, never the queue.
import type { Log } from "#lib/log.ts";
import type { ClaimResponse, Outcome as Receipt } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { Claims } from "./claims.ts";
import { decideAdmission } from "./domain/admission.ts";
import { createHolds } from "./domain/holds.ts";
import { createLanes, keyOf, type Lane } from "./domain/lanes.ts";
import { pairBucket } from "./domain/pace.ts";
import type { FactsSource } from "./facts.ts";
import { createJudge, type FinalVerdict, type Judge } from "./judge.ts";
import { type Held, toExpired, toNotAdmitted, toWait } from "./wire.ts";

type Options = {
  /** Most messages of a lane in memory. */
  heldLimit: number;
  messagesPerSecond: () => number;
  wabaId: () => string;
  facts: FactsSource;
  now: () => Date;
  /** Monotonic. */
  nowMs: () => number;
  log: Log;
  claim: (
    request: { heldMessageIds: string[]; replyLimit: number; bulkLimit: number },
    signal: AbortSignal,
  ) => Promise<ClaimResponse>;
  mayClaim: () => boolean;
  pairWaitMs: (recipient: string) => number;
  /** Ids whose outcome is not written yet. */
  unreportedIds: () => Iterable<string>;
  report: (receipt: Receipt) => void;
  count: (outcome: "not_admitted" | "expired") => void;
  /** There may be a message to take. */
  onReady: () => void;
  onFenced: () => void;
};

// Memory holds what can go in about this time: a verdict should not get old.
const heldSeconds = 5;
const leastHeld = 32;
// Messages whose facts cannot be had do not use up the window, up to this many windows.
const mostWindows = 4;
// A wait that is shorter stays in memory, a longer one is written.
const longestWaitInMemoryMs = 5_000;
// How long the facts of a message in memory count.
const freshMs = 60_000;
const mostRemembered = 20_000;

export class Queue {
  readonly #options: Options;
  readonly #lanes = createLanes<Held>();
  readonly #holds = createHolds();
  readonly #inFlight = new Set<Held>();
  /** Those in memory with a short wait. */
  readonly #paused = new Set<Held>();
  /** Messages that wait in the ledger because this process put them back. */
  readonly #putBack = new Set<string>();
  readonly #judge: Judge;
  readonly #claims: Claims;

  constructor(options: Options) {
    this.#options = options;
    this.#judge = createJudge({
      ...options,
      onVerdict: (held, verdict) => this.#apply(held, verdict),
      onDone: () => this.#changed(),
    });
    this.#claims = new Claims({
      ...options,
      claim: ({ reply, bulk }, signal) =>
        options.claim({ heldMessageIds: this.#inHand(), replyLimit: reply, bulkLimit: bulk }, signal),
      room: () => ({ reply: this.#room("reply"), bulk: this.#room("bulk") }),
      window: () => this.#window(),
      onClaimed: (claimed) => this.#take(claimed),
    });
  }

  /** The ledger may have work. */
  wake(): void {
    this.#claims.wake();
  }

  /** Claiming may be allowed again. */
  poke(): void {
    this.#claims.poke();
  }

  /** A message was put back until then. */
  dueAt(at: Date): void {
    this.#claims.dueAt(at);
  }

  /** The next message that may go now, of the lanes that are open; its recipient's next one waits until `finish`. */
  next(isOpen: (lane: Lane) => boolean, nowMs: number): Held | undefined {
    const isReady = (held: Held): boolean => held.facts !== undefined && held.notBeforeMs <= nowMs;
    for (;;) {
      const held = this.#lanes.next(isReady, isOpen);
      if (held === undefined) return undefined;
      if (!this.#mayGo(held)) continue;
      this.#lanes.start(held);
      this.#inFlight.add(held);
      return held;
    }
  }

  /** The message that `next` gave is done with; its outcome is reported by the caller. */
  finish(held: Held): void {
    this.#inFlight.delete(held);
    this.#lanes.finish(held);
    // While it waited, the ledger gave nothing of what is behind it.
    const hasWaited = held.message.attempt > 1 || this.#putBack.delete(held.messageId);
    if (hasWaited) this.#claims.wake();
    else this.#claims.poke();
  }

  /** Reports that a message waits in the ledger until then, and keeps those behind it in order. */
  putBack(held: Held, reason: string, until: Date, gapMs = 0): void {
    this.#lanes.remove(held);
    this.#remember(held.messageId);
    this.#holds.putBack(keyOf(held), held, until.getTime(), gapMs);
    this.#options.report(toWait({ message: held.message, at: this.#options.now() }, reason, until));
  }

  /** In how many ms a short wait ends; undefined where none runs. */
  soonestInMs(nowMs: number): number | undefined {
    let soonest: number | undefined;
    for (const held of this.#paused) {
      const { notBeforeMs } = held;
      if (notBeforeMs <= nowMs) this.#paused.delete(held);
      else if (soonest === undefined || notBeforeMs < soonest) soonest = notBeforeMs;
    }
    return soonest === undefined ? undefined : soonest - nowMs;
  }

  size(lane: Lane): number {
    return this.#lanes.size(lane);
  }

  get isEmpty(): boolean {
    return this.size("reply") + this.size("bulk") === 0;
  }

  /** Claiming does not turn any more, whatever is answered to it. */
  isStuck(nowMs: number): boolean {
    return this.#claims.isStuck(nowMs);
  }

  /** Claims and judges nothing more. What waits in memory is the ledger's still. */
  async stop(): Promise<void> {
    this.#judge.stop();
    await this.#claims.stop();
  }

  #take(claimed: readonly Held[]): void {
    for (const held of claimed) this.#lanes.add(held);
    this.#judge.submit(claimed);
  }

  #apply(held: Held, verdict: FinalVerdict): void {
    const of = { message: held.message, at: this.#options.now() };
    switch (verdict.verdict) {
      case "allow":
        return;
      case "expire":
        return this.#leave(held, toExpired(of), "expired");
      case "refuse":
        return this.#leave(held, toNotAdmitted(of, verdict.reason, verdict.details), "not_admitted");
    }
  }

  #leave(held: Held, receipt: Receipt, outcome: "not_admitted" | "expired"): void {
    const { messageId } = held;
    const reason = receipt.kind.case === "refused" ? receipt.kind.value.reason : undefined;
    this.#lanes.remove(held);
    this.#options.count(outcome);
    this.#options.log.debug({ messageId, outcome, reason }, "message ended before the wire");
    this.#options.report(receipt);
  }

  /** The last look before Begin. Whatever stands in the way has been seen to when this is false. */
  #mayGo(held: Held): boolean {
    const now = this.#options.now();
    const earlier = this.#holds.behind(keyOf(held), held, now.getTime());
    if (earlier !== undefined) {
      this.putBack(held, "behind_earlier", new Date(earlier.untilMs), earlier.gapMs);
      return false;
    }
    // Facts of a moment ago may allow; before they refuse, and when they are old, they are gathered anew.
    const isOld = this.#options.nowMs() - held.judgedAtMs > freshMs;
    if (isOld || decideAdmission(held.subject, held.facts ?? {}, now).verdict !== "allow") {
      held.facts = undefined;
      this.#judge.submit([held]);
      return false;
    }
    return this.#hasPairPace(held, now);
  }

  #hasPairPace(held: Held, now: Date): boolean {
    const waitMs = this.#options.pairWaitMs(held.recipient);
    if (waitMs === 0) return true;
    if (waitMs < longestWaitInMemoryMs) {
      held.notBeforeMs = this.#options.nowMs() + waitMs;
      this.#paused.add(held);
    } else this.putBack(held, "pair_paced", new Date(now.getTime() + waitMs), pairBucket.intervalMs);
    return false;
  }

  #remember(messageId: string): void {
    this.#putBack.add(messageId);
    for (const oldest of this.#putBack) {
      if (this.#putBack.size <= mostRemembered) break;
      this.#putBack.delete(oldest);
    }
  }

  #changed(): void {
    this.#options.onReady();
    this.#claims.poke();
  }

  #inHand(): string[] {
    const waiting = [...this.#lanes.items(), ...this.#inFlight].map(({ messageId }) => messageId);
    return [...new Set([...waiting, ...this.#options.unreportedIds()])];
  }

  #window(): number {
    return Math.min(this.#options.heldLimit, Math.max(leastHeld, this.#options.messagesPerSecond() * heldSeconds));
  }

  #room(lane: Lane): number {
    const window = this.#window();
    const size = this.#lanes.size(lane);
    return Math.max(0, Math.min(window - size + this.#judge.stuck(lane), window * mostWindows - size));
  }
}
