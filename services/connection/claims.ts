// When to claim: at a wake, when a waiting message is due, when there is room again and more was seen. Never at rest.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { ClaimResponse } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Backoff, backoffMs } from "./domain/backoff.ts";
import type { Lane } from "./domain/lanes.ts";
import { createProgress } from "./domain/progress.ts";
import { isFenced } from "./errors.ts";
import { type Held, toHeld } from "./wire.ts";

type Limits = Record<Lane, number>;

type Options = {
  claim: (limits: Limits, signal: AbortSignal) => Promise<ClaimResponse>;
  room: () => Limits;
  /** How many messages of a lane memory holds. */
  window: () => number;
  mayClaim: () => boolean;
  /** Answers with those that stay in memory. A wake follows when the others may come, and what is behind them. */
  onClaimed: (messages: readonly Held[]) => readonly Held[];
  onFenced: () => void;
  now: () => Date;
  /** Monotonic. */
  nowMs: () => number;
  log: Log;
};

const retry: Backoff = { firstMs: 100, factor: 2, maxMs: 2_000 };
// While messages come, claims start at least this far apart: each then brings several.
const gapMs = 5;
// Also covers a clock that differs a little from the ledger's.
const dueSlackMs = 20;
// A time that the ledger waits for and that is over here by more than that: our clock is ahead, and only asking tells.
const aheadMs = 1_000;
const longestTimerMs = 3_600_000;
// Above what a claim and the pause after its failure may take.
const turnMs = 15_000;

export class Claims {
  readonly #options: Options;
  readonly #stopping = new AbortController();
  readonly #progress = createProgress();
  /** A wake that no claim has answered yet. */
  #isDue = false;
  /** Lanes that may hold more than the last claim brought. */
  #more: Record<Lane, boolean> = { reply: false, bulk: false };
  #running: Promise<void> | undefined;
  #timer: { at: number; handle: NodeJS.Timeout } | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** There may be work. Wakes that come together are one. */
  wake(): void {
    this.#isDue = true;
    this.poke();
  }

  /** Room was made, or claiming is allowed again. */
  poke(): void {
    if (this.#running !== undefined || !this.#isNeeded()) return;
    this.#running = this.#claimWhileNeeded().finally(() => {
      this.#running = undefined;
      this.#progress.stop();
      this.poke();
    });
  }

  /** A message was put back until then. */
  dueAt(at: Date): void {
    const time = at.getTime();
    if (this.#stopping.signal.aborted || (this.#timer !== undefined && this.#timer.at <= time)) return;
    clearTimeout(this.#timer?.handle);
    const waitMs = Math.min(longestTimerMs, Math.max(0, time - this.#options.now().getTime()) + dueSlackMs);
    this.#timer = { at: time, handle: setTimeout(() => this.#onTimer(), waitMs) };
  }

  /** A claim has neither been answered nor failed. */
  isStuck(nowMs: number): boolean {
    return this.#progress.isStuck(nowMs);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer?.handle);
    await this.#running;
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.wake();
  }

  #isNeeded(): boolean {
    const { mayClaim, room, window } = this.#options;
    if (this.#stopping.signal.aborted || !mayClaim()) return false;
    const enough = window() / 2;
    const free = room();
    return (["reply", "bulk"] as const).some((lane) => free[lane] >= enough && (this.#isDue || this.#more[lane]));
  }

  async #claimWhileNeeded(): Promise<void> {
    const { claim, room, nowMs, onFenced, log } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 0; this.#isNeeded();) {
      this.#isDue = false;
      this.#progress.turn(nowMs(), turnMs);
      const limits = room();
      try {
        const response = await claim(limits, signal);
        failures = 0;
        this.#take(response, limits);
        if (response.messages.length > 0) await sleep(gapMs, signal);
      } catch (error) {
        if (isFenced(error)) return onFenced();
        this.#isDue = true;
        failures += 1;
        if (!signal.aborted)
          log[failures === 1 ? "warn" : "debug"]({ err: error }, "messages could not be claimed, will try again");
        await sleep(backoffMs(retry, failures, Math.random()), signal);
      }
    }
  }

  #take({ messages, nextDueAt }: ClaimResponse, limits: Limits): void {
    if (this.#stopping.signal.aborted) return;
    const claimed = this.#options.onClaimed(messages.map(toHeld));
    const isFull = (lane: Lane): boolean => claimed.filter((held) => held.lane === lane).length >= limits[lane];
    this.#more = { reply: isFull("reply"), bulk: isFull("bulk") };
    if (nextDueAt !== undefined) this.dueAt(this.#byOurClock(timestampDate(nextDueAt)));
  }

  #byOurClock(at: Date): Date {
    const nowMs = this.#options.now().getTime();
    return nowMs - at.getTime() < aheadMs ? at : new Date(nowMs + aheadMs);
  }
}
