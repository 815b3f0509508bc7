// Makes day partitions ahead, and knows the first day that may still hold open messages.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { type Day, dayOf, daysAround, firstMessageId, isClosed, startOfDay } from "./domain/partitions.ts";
import { createPartitions, hasOpenMessages, loadDays } from "./store/partitions.ts";

export type Days = AsyncDisposable & {
  /** Makes the partition of the day that holds this instant, unless it is known to be there. */
  ensure(at: Date): Promise<void>;
  /** The least message id that can be open. It rises as days are done, and falls if one was taken for done too early. */
  floor(): string;
};

type Dependencies = {
  db: Pool;
  now: () => Date;
  /** How often partitions are made ahead, and days looked through for what is open. */
  everyMs: number;
  log: Log;
};

/** Resolves when the partitions around now are there. */
export async function startDays({ db, now, everyMs, log }: Dependencies): Promise<Days> {
  /** By when they begin. */
  const known = new Set<number>();
  let first = (await loadDays(db))[0] ?? dayOf(now());
  /** The least time that was ensured since the last look began, in ms since 1970. */
  let ensuredMs = Number.POSITIVE_INFINITY;

  async function create(at: Date): Promise<void> {
    const wanted = new Map([dayOf(at), ...daysAround(now())].map((day) => [day.from.getTime(), day]));
    for (const start of known) wanted.delete(start);
    if (wanted.size === 0) return;
    await transaction(db, (tx) => createPartitions(tx, [...wanted.values()]));
    for (const start of wanted.keys()) known.add(start);
  }

  // From the oldest partition each time: a clock that was ahead, here or where a message was taken, may have misled the last look.
  async function look(): Promise<void> {
    ensuredMs = Number.POSITIVE_INFINITY;
    const found = await findFirstOpen(db, now);
    first = ensuredMs < found.from.getTime() ? dayOf(new Date(ensuredMs)) : found;
  }

  await create(now());
  const looking = loop({
    name: "partitions",
    intervalMs: everyMs,
    jitter: 0.1,
    log,
    async task() {
      await create(now());
      await look();
    },
  });
  return {
    ensure(at) {
      ensuredMs = Math.min(ensuredMs, at.getTime());
      if (at < first.from) first = dayOf(at);
      return known.has(startOfDay(at)) ? Promise.resolve() : create(at);
    },
    floor: () => firstMessageId(first.from),
    [Symbol.asyncDispose]: () => looking[Symbol.asyncDispose](),
  };
}

/** The first day to which messages may still come, or which has some to be sent or resolved. */
async function findFirstOpen(db: Pool, now: () => Date): Promise<Day> {
  let day = (await loadDays(db))[0] ?? dayOf(now());
  while (isClosed(day, now()) && !(await hasOpenMessages(db, day))) day = dayOf(day.to);
  return day;
}
