// Saves what became of deliveries: what comes within 10 ms goes in one commit. Nothing given here is forgotten while Postgres is
// away; meanwhile nobody claims anything new, so it stays bounded by what is held in memory.
import { ServiceError } from "#lib/errors.ts";
import { faultPoint } from "#lib/fault-points.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { type Delivered, type Failed, markDelivered, type Released, releaseDeliveries, saveFailures } from "./store.ts";

export type Outcomes = AsyncDisposable & {
  delivered(delivery: Delivered): void;
  failed(delivery: Failed): void;
  /** The claim was not used. */
  released(delivery: Released): void;
  /** Resolves when all that was given so far is saved. */
  settle(): Promise<void>;
};

type Batch = { delivered: Delivered[]; failed: Failed[]; released: Released[] };

const lingerMs = 10;
const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Disposing saves what is left, or gives it up if Postgres is away: those deliveries are then repeated. */
export function createOutcomes({ db, log }: { db: Pool; log: Log }): Outcomes {
  const closing = new AbortController();
  let pending = emptyBatch();
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<void> | undefined;

  function schedule(): void {
    if (saving === undefined) timer ??= setTimeout(() => void start(), lingerMs);
  }

  function start(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    saving ??= savePending();
    return saving;
  }

  async function savePending(): Promise<void> {
    const batch = pending;
    pending = emptyBatch();
    await saveUntilDone({ db, log, closing: closing.signal }, batch);
    saving = undefined;
    if (sizeOf(pending) > 0) schedule();
  }

  async function settle(): Promise<void> {
    while (saving !== undefined || sizeOf(pending) > 0) await start();
  }

  return {
    delivered(delivery) {
      pending.delivered.push(delivery);
      schedule();
    },
    failed(delivery) {
      pending.failed.push(delivery);
      schedule();
    },
    released(delivery) {
      pending.released.push(delivery);
      schedule();
    },
    settle,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await settle();
    },
  };
}

type Saving = { db: Pool; log: Log; closing: AbortSignal };

async function saveUntilDone(saving: Saving, batch: Batch): Promise<void> {
  const { db, log, closing } = saving;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      faultPoint("outcomes.save.before");
      await save(db, batch);
      faultPoint("outcomes.save.after");
      return;
    } catch (error) {
      const isAway = error instanceof ServiceError && error.code === "UNAVAILABLE";
      log.warn({ err: error, deliveries: sizeOf(batch) }, "outcomes of deliveries are not saved yet");
      if (!isAway) return saveOneByOne(saving, batch);
      if (closing.aborted) return;
      await sleep(pauseMs, closing);
    }
  }
}

/** One that cannot be saved must not hold up the others: its claim ends by itself, and it is sent again. */
async function saveOneByOne({ db, log }: Saving, batch: Batch): Promise<void> {
  for (const single of singlesOf(batch)) {
    await save(db, single).catch((error: unknown) => {
      log.error({ err: error, outcome: single }, "outcome of a delivery cannot be saved, it will be repeated");
    });
  }
}

/** Claims are given back before failures are saved: a failure then moves those that follow it, too. */
async function save(db: Pool, { delivered, failed, released }: Batch): Promise<void> {
  if (failed.length === 0 && released.length === 0) return markDelivered(db, delivered);
  await transaction(db, async (tx) => {
    if (delivered.length > 0) await markDelivered(tx, delivered);
    if (released.length > 0) await releaseDeliveries(tx, released);
    if (failed.length > 0) await saveFailures(tx, failed);
  });
}

function emptyBatch(): Batch {
  return { delivered: [], failed: [], released: [] };
}

function sizeOf({ delivered, failed, released }: Batch): number {
  return delivered.length + failed.length + released.length;
}

function singlesOf({ delivered, failed, released }: Batch): Batch[] {
  return [
    ...delivered.map((delivery) => ({ ...emptyBatch(), delivered: [delivery] })),
    ...released.map((delivery) => ({ ...emptyBatch(), released: [delivery] })),
    ...failed.map((delivery) => ({ ...emptyBatch(), failed: [delivery] })),
  ];
}
