// Tells the news since a loss again, in steps of a commit that also keeps how far it came: whoever takes the next step, here, in
// another copy or after a restart, goes on there.
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { enqueue } from "#lib/outbox.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import type { Register } from "./register.ts";
import { firstPosition, loadBatch, untilOutboxHasRoom } from "./republish.ts";
import { findUntold, lockToTell, saveTold } from "./store/recovery.ts";

export type TellingDependencies = {
  db: Pool;
  register: Pick<Register, "placeOf">;
  now: () => Date;
  /** Events wait to be published. */
  onEvents: () => void;
  log: Log;
};

const everyMs = 60_000;

/** Tells what a settled recovery has left to tell. */
export function startTelling(dependencies: TellingDependencies): Loop {
  const { db, log } = dependencies;
  return loop({
    name: "recovery news",
    intervalMs: everyMs,
    jitter: 0.1,
    log,
    async task(signal) {
      for (const since of await findUntold(db)) await tellAll(dependencies, since, signal);
    },
  });
}

/** Rejects when the signal aborts. */
export async function tellAll(dependencies: TellingDependencies, since: Date, signal: AbortSignal): Promise<void> {
  for (let isLeft = true; isLeft;) {
    await untilOutboxHasRoom(dependencies.db, signal);
    signal.throwIfAborted();
    isLeft = await tellSome(dependencies, since);
  }
}

/** Whether something is left to tell. */
async function tellSome({ db, register, now, onEvents, log }: TellingDependencies, since: Date): Promise<boolean> {
  const isLeft = await transaction(db, async (tx) => {
    const recovery = await lockToTell(tx, since);
    if (recovery?.settledAt === undefined) return false;
    const { startedAt, settledAt, toldTo } = recovery;
    const span = { from: since, to: settledAt };
    const { events, next } = await loadBatch(tx, { register, span, position: toldTo ?? firstPosition(span) });
    // JetStream took these a moment ago, but their readers lost what they made of them. The mark is for it alone: readers go by
    // the id in the event.
    const mark = `recovery.${since.getTime()}.${startedAt.getTime()}`;
    await enqueue(
      tx,
      "messages",
      events.map((row) => ({ ...row, eventId: `${row.eventId}.${mark}` })),
    );
    const saved = await saveTold(tx, { since, next, events: events.length, now: now() });
    if (saved.isFinished) log.warn({ since, events: saved.events }, "recovery: its news are told again");
    return !saved.isFinished;
  });
  onEvents();
  return isLeft;
}
