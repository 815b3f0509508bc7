// What a replica of the operator knows of leases, by the messages service's stream, which may break.
import type { LeaseFacts, PodsFacts } from "#operator/number/facts.ts";
import type { LeaseNews, Messages } from "./messages.ts";
import type { Deliver } from "./operator-watches.ts";
import type { Process } from "./time.ts";
import { between, type World } from "./world.ts";

const awayAfterMs = 10_000;

type Known = LeaseNews & { lapsedSinceMs: number | undefined };

type Options = {
  world: World;
  messages: Messages;
  /** Of the present life. */
  process: () => Process;
  deliver: Deliver;
  /** Whether the messages service is heard at all. */
  isHeard: () => boolean;
  onNews: (number: string) => void;
  /** What was known of all numbers is known anew, or not any more. */
  onAll: () => void;
};

export class RegisterStream {
  readonly #options: Options;
  #known = new Map<string, Known>();
  #isLive = false;
  #isAway = true;
  #cancelAway: (() => void) | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Another life begins, which knows nothing. */
  forget(): void {
    this.#known = new Map();
    this.#isLive = false;
    this.#isAway = true;
    this.#cancelAway = undefined;
  }

  /** Begins the stream whenever there is none. */
  follow(): void {
    const { world, messages, process, isHeard, onAll } = this.#options;
    process().after(between(world, 100, 1_500), () => {
      if (this.#isLive || !isHeard()) return this.follow();
      this.#isLive = true;
      this.#isAway = false;
      this.#cancelAway?.();
      this.#cancelAway = undefined;
      const known = new Map<string, Known>();
      for (const row of messages.rows.values()) {
        const news = messages.newsOf(row);
        if (news !== undefined) known.set(row.number, this.#withLapse(news));
      }
      this.#known = known;
      onAll();
      this.follow();
    });
  }

  /** The stream broke. */
  lose(): void {
    this.#options.process().after(1, () => {
      this.#isLive = false;
      if (!this.#isAway) this.#beAwaySoon();
    });
  }

  told(news: LeaseNews): void {
    const { deliver, isHeard, onNews } = this.#options;
    if (!this.#isLive || !isHeard()) return;
    deliver("lease", 0, () => {
      this.#known.set(news.number, this.#withLapse(news));
      onNews(news.number);
    });
  }

  factsOf(number: string): PodsFacts["lease"] {
    if (this.#isAway) return { kind: "away", service: "messages", why: "no stream" };
    const known = this.#known.get(number);
    if (known === undefined) return { kind: "known", value: undefined };
    const { epoch, term, holder, isHeld, lapsedSinceMs } = known;
    const isTold = this.#isLive && lapsedSinceMs !== undefined;
    const lapsedForMs = isTold ? this.#options.process().machine.monotonicMs() - lapsedSinceMs : undefined;
    const value: LeaseFacts = { epoch, term: BigInt(term), holder, isHeld, lapsedForMs };
    return { kind: "known", value };
  }

  #beAwaySoon(): void {
    const { process, onAll } = this.#options;
    this.#cancelAway ??= process().after(awayAfterMs, () => {
      this.#isAway = true;
      onAll();
    });
  }

  #withLapse(news: LeaseNews): Known {
    const before = this.#known.get(news.number);
    const nowMs = this.#options.process().machine.monotonicMs();
    const sinceMs = before?.term === news.term ? (before.lapsedSinceMs ?? nowMs) : nowMs;
    return { ...news, lapsedSinceMs: news.isLapsed ? sinceMs : undefined };
  }
}
