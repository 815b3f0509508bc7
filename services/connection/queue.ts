// The messages in memory: claimed in windows, judged, kept in order, each leaving once, over the wire or by an outcome before it.
// Memory holds a window of the number's queue, never the queue.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { decideAdmission } from "#admission/domain/admission.ts";
import type { Log } from "#lib/log.ts";
import type { ClaimResponse, Outcome as Receipt } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { Claims } from "./claims.ts";
import { createHolds } from "./domain/holds.ts";
import { createLanes, keyOf, type Lane } from "./domain/lanes.ts";
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

export class Queue {
  readonly #options: Options;
  readonly #lanes = createLanes<Held>();
  readonly #holds = createHolds();
  readonly #inFlight = new Set<Held>();
  /** Those in memory with a short wait. */
  readonly #paused = new Set<Held>();
  /** Those for which the ledger holds others back, until it knows their end. */
  readonly #ending = new Set<string>();
  /** A claim brought what is behind a wait that the ledger does not know of yet. */
  #hasLeftOut = false;
  readonly #judge: Judge;
  readonly #claims: Claims;

  constructor(options: Options) {
    this.#options = options;
    this.#judge = createJudge({
      ...options,
      isHeld: (held) => this.#lanes.has(held),
      onVerdict: (held, verdict) => this.#apply(held, verdict),
      onDone: () => this.#changed(),
    });
    this.#claims = new Claims({
      ...options,
      claim: ({ reply, bulk }, signal) => {
        this.#holds.claim();
        return options.claim({ heldMessageIds: this.#inHand(), replyLimit: reply, bulkLimit: bulk }, signal);
      },
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

  /** The ledger has an outcome. */
  written({ messageId, kind }: Receipt): void {
    if (kind.case === "wait") {
      this.#holds.written(messageId);
      if (kind.value.until !== undefined) this.#claims.dueAt(timestampDate(kind.value.until));
    }
    const isAwaited = this.#ending.delete(messageId) || (kind.case === "wait" && this.#hasLeftOut);
    if (kind.case === "wait") this.#hasLeftOut = false;
    if (isAwaited) this.#claims.wake();
    else this.#claims.poke();
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
    // While it waited, the ledger gave nothing of what is behind it; from its Begin on it does.
    if (held.message.wasWaiting) this.#claims.wake();
    else this.#claims.poke();
  }

  /** Reports that a message waits in the ledger until then. Those behind it leave memory: the ledger gives them after it. */
  putBack(held: Held, reason: string, until: Date): void {
    this.#lanes.remove(held);
    this.#lanes.removeBehind(held);
    this.#holds.putBack(keyOf(held), held);
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

  #take(claimed: readonly Held[]): readonly Held[] {
    const mayStay = claimed.filter((held) => !this.#holds.isBehind(keyOf(held), held));
    for (const held of mayStay) this.#lanes.add(held);
    this.#judge.submit(mayStay);
    if (mayStay.length < claimed.length) {
      if (this.#holds.areWritten()) this.#claims.wake();
      else this.#hasLeftOut = true;
    }
    return mayStay;
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
    if (held.message.wasWaiting) this.#ending.add(messageId);
    this.#options.count(outcome);
    this.#options.log.debug({ messageId, outcome, reason }, "message ended before the wire");
    this.#options.report(receipt);
  }

  /** The last look before Begin. Whatever stands in the way has been seen to when this is false. */
  #mayGo(held: Held): boolean {
    const now = this.#options.now();
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
    } else this.putBack(held, "pair_paced", new Date(now.getTime() + waitMs));
    return false;
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
