// The queue before the ledger's commits: decides when the next one starts and what is in it.
import { ServiceError } from "#lib/errors.ts";
import type { Answer, Item } from "./domain/batch.ts";

export type Entry = {
  item: Item;
  settle: (answer: Answer) => void;
  fail: (error: unknown) => void;
};

export type LedgerQueue = {
  /** Resolves with the item's answer. Rejects with RESOURCE_EXHAUSTED when too much waits, UNAVAILABLE after close. */
  put(item: Item): Promise<Answer>;
  /**
   * What to commit next, oldest first; empty only after close, when all is taken. While `isBusy` it gathers before: at most
   * 3 ms if a Send or a Begin waits, whose callers hold up a message, else 10 ms. Not busy, a single item goes at once.
   */
  take(isBusy: boolean): Promise<readonly Entry[]>;
  depth(): number;
  /** Takes nothing more; what waits is still committed, at once. */
  close(): void;
};

/** Rows in one commit, unless a single item has more. */
const maxWeight = 256;
const hurriedMs = 3;
const patientMs = 10;
// With more than this waiting Postgres is slower than what comes in; taking on more would only hold memory.
const maxDepth = 10_000;
const overloadedRetryMs = 1_000;

export function createLedgerQueue(): LedgerQueue {
  const entries: (Entry & { weight: number })[] = [];
  let weight = 0;
  /** When the first of the entries must not wait any longer, by the monotonic clock in ms. */
  let goBy = Number.POSITIVE_INFINITY;
  let isClosed = false;
  let onChange = (): void => undefined;

  /** Resolves when there is something to take, or the queue is closed. */
  function filled(): Promise<void> {
    return new Promise((resolve) => {
      onChange = () => {
        if (entries.length > 0 || isClosed) resolve();
      };
      onChange();
    });
  }

  function gathered(): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      let armedFor = Number.POSITIVE_INFINITY;
      onChange = () => {
        const isFull = weight >= maxWeight || isClosed;
        if (!isFull && goBy >= armedFor) return;
        clearTimeout(timer);
        const waitMs = isFull ? 0 : goBy - performance.now();
        if (waitMs <= 0) return resolve();
        armedFor = goBy;
        timer = setTimeout(resolve, waitMs);
      };
      onChange();
    });
  }

  function cut(): readonly Entry[] {
    let count = 0;
    let taken = 0;
    for (const entry of entries) {
      if (count > 0 && taken + entry.weight > maxWeight) break;
      count += 1;
      taken += entry.weight;
    }
    weight -= taken;
    const batch = entries.splice(0, count);
    // What is left has waited for its turn and goes next.
    goBy = entries.length > 0 ? 0 : Number.POSITIVE_INFINITY;
    return batch;
  }

  return {
    put(item) {
      if (isClosed) return Promise.reject(new ServiceError("UNAVAILABLE", "stopping", "the service is stopping"));
      if (entries.length >= maxDepth && item.kind === "send") return Promise.reject(overloaded());
      return new Promise((settle, fail) => {
        const own = weightOf(item);
        const waitMs = item.kind === "send" || item.kind === "begin" ? hurriedMs : patientMs;
        entries.push({ item, weight: own, settle, fail });
        weight += own;
        goBy = Math.min(goBy, performance.now() + waitMs);
        onChange();
      });
    },
    async take(isBusy) {
      await filled();
      if (isBusy && entries.length > 0) await gathered();
      onChange = () => undefined;
      return cut();
    },
    depth: () => entries.length,
    close() {
      isClosed = true;
      onChange();
    },
  };
}

function overloaded(): ServiceError {
  return new ServiceError("RESOURCE_EXHAUSTED", "overloaded", "too many messages wait to be accepted", {
    retryAfterMs: overloadedRetryMs,
  });
}

function weightOf(item: Item): number {
  switch (item.kind) {
    case "send":
      return 1;
    case "begin":
      return item.attempts.length;
    case "finish":
      return item.outcomes.length;
    case "ingest":
      return item.reports.length + item.inbound.length + item.accountNews.length + item.unparsed.length;
    case "sweep":
      return item.messageIds.length;
  }
}
