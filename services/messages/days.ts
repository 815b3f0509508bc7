// Makes day partitions ahead, and knows the first day that may still hold open messages.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { dayOf, daysAround, firstMessageId, isClosed, startOfDay } from "./domain/partitions.ts";
import { createPartitions, hasOpenMessages, loadDays } from "./store/partitions.ts";

export type Days = AsyncDisposable & {
  /** Makes the partition of the day that holds this instant, unless it is known to be there. */
  ensure(at: Date): Promise<void>;
  /** The least message id that can be open. It rises as days are done. */
  floor(): string;
};

type Dependencies = { db: Pool; now: () => Date; log: Log };

const everyMs = 3_600_000;

/** Resolves when the partitions around now are there. */
export async function startDays({ db, now, log }: Dependencies): Promise<Days> {
  /** By when they begin. */
  const known = new Set<number>();
  let first = (await loadDays(db))[0] ?? dayOf(now());

  async function create(at: Date): Promise<void> {
    const wanted = new Map([dayOf(at), ...daysAround(now())].map((day) => [day.from.getTime(), day]));
    for (const start of known) wanted.delete(start);
    if (wanted.size === 0) return;
    await transaction(db, (tx) => createPartitions(tx, [...wanted.values()]));
    for (const start of wanted.keys()) known.add(start);
  }

  async function raiseFloor(): Promise<void> {
    while (isClosed(first, now()) && !(await hasOpenMessages(db, first))) first = dayOf(first.to);
  }

  await create(now());
  await raiseFloor();
  const creating = loop({
    name: "partitions",
    intervalMs: everyMs,
    jitter: 0.1,
    log,
    async task() {
      await create(now());
      await raiseFloor();
    },
  });
  return {
    ensure(at) {
      // A clock that was ahead for a while took a day for done that messages come to still.
      if (at < first.from) first = dayOf(at);
      return known.has(startOfDay(at)) ? Promise.resolve() : create(at);
    },
    floor: () => firstMessageId(first.from),
    [Symbol.asyncDispose]: () => creating[Symbol.asyncDispose](),
  };
}
