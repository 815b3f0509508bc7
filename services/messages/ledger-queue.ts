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
   * What to commit next, oldest first; empty only after close, when all is taken. While `isBusy` it gathers before, at most for
   * `hurriedMs` if a Send or a Begin waits, whose callers hold up a message, else `patientMs`. Not busy, an item goes at once.
   */
  take(isBusy: boolean): Promise<readonly Entry[]>;
  depth(): number;
  /** Takes nothing more; what waits is still committed, at once. */
  close(): void;
};

/** Rows in one commit, unless a single item has more. */
const maxWeight = 256;
// Measured at 150 msg/s, ledger only: without a wait 5 commits and 1.9 ms of Postgres' CPU a message, with 3 ms 1.5 and 1.5, with
// 10 ms 0.6 and 0.9; a Send is accepted within 9 ms (p99) with 3.
const defaultWaits = { hurriedMs: 3, patientMs: 10 };
// With more than this waiting Postgres is slower than what comes in; taking on more would only hold memory.
const maxDepth = 10_000;
const overloadedRetryMs = 1_000;

type State = {
  entries: (Entry & { weight: number })[];
  /** Of all entries. */
  weight: number;
  /** When the first of the entries must not wait any longer, by the monotonic clock in ms. */
  goBy: number;
  isClosed: boolean;
  /** Called after each put, and at close. */
  onChange: () => void;
};

export function createLedgerQueue({ hurriedMs, patientMs } = defaultWaits): LedgerQueue {
  const state: State = {
    entries: [],
    weight: 0,
    goBy: Number.POSITIVE_INFINITY,
    isClosed: false,
    onChange: () => undefined,
  };
  return {
    put(item) {
      if (state.isClosed) return Promise.reject(new ServiceError("UNAVAILABLE", "stopping", "the service is stopping"));
      if (state.entries.length >= maxDepth && item.kind === "send") return Promise.reject(overloaded());
      return new Promise((settle, fail) => {
        const weight = weightOf(item);
        const waitMs = item.kind === "send" || item.kind === "begin" ? hurriedMs : patientMs;
        state.entries.push({ item, weight, settle, fail });
        state.weight += weight;
        state.goBy = Math.min(state.goBy, performance.now() + waitMs);
        state.onChange();
      });
    },
    async take(isBusy) {
      await filled(state);
      if (isBusy && state.entries.length > 0) await gathered(state);
      state.onChange = () => undefined;
      return cut(state);
    },
    depth: () => state.entries.length,
    close() {
      state.isClosed = true;
      state.onChange();
    },
  };
}

/** Resolves when there is something to take, or the queue is closed. */
function filled(state: State): Promise<void> {
  return new Promise((resolve) => {
    state.onChange = () => {
      if (state.entries.length > 0 || state.isClosed) resolve();
    };
    state.onChange();
  });
}

/** Resolves when a commit is full, or one of its items has waited long enough. */
function gathered(state: State): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let armedFor = Number.POSITIVE_INFINITY;
    state.onChange = () => {
      const isFull = state.weight >= maxWeight || state.isClosed;
      if (!isFull && state.goBy >= armedFor) return;
      clearTimeout(timer);
      armedFor = state.goBy;
      const waitMs = isFull ? 0 : Math.ceil(state.goBy - performance.now());
      if (waitMs <= 0) resolve();
      else timer = setTimeout(resolve, waitMs);
    };
    state.onChange();
  });
}

/** Takes as many as fit into a commit, at least one. What is left has waited its turn and goes next. */
function cut(state: State): readonly Entry[] {
  let count = 0;
  let taken = 0;
  for (const { weight } of state.entries) {
    if (count > 0 && taken + weight > maxWeight) break;
    count += 1;
    taken += weight;
  }
  state.weight -= taken;
  const batch = state.entries.splice(0, count);
  state.goBy = state.entries.length > 0 ? 0 : Number.POSITIVE_INFINITY;
  return batch;
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
    case "cancel":
      return item.messageIds.length;
  }
}
