// After Postgres lost commits: nothing that the ledger forgot may happen a second time. First every lease ends, so that nobody
// sends; then what may have been sent becomes unknown. It goes on where it was broken off. What is told again: recovery-news.ts.
import type { Log } from "#lib/log.ts";
import { enqueue } from "#lib/outbox.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { next } from "./domain/message.ts";
import { dueUntil, termsAbove } from "./domain/recovery.ts";
import { messageEvent } from "./events.ts";
import type { Register } from "./register.ts";
import { lockMessages, updateMessages } from "./store/ledger.ts";
import {
  endAllLeases,
  findPossiblySent,
  findSending,
  insertRecovery,
  loadRecovery,
  lockLeases,
  markSettled,
  type Recovery,
  saveSettled,
} from "./store/recovery.ts";

export type RecoveryDependencies = {
  db: Pool;
  register: Pick<Register, "placeOf" | "policyOf">;
  now: () => Date;
  leaseMs: number;
  /** Leases ended, or events wait to be published. */
  onChange: () => void;
  log: Log;
};

/** Rows in a transaction, between which other messages go on. */
const batchRows = 256;

/**
 * Resolves when nothing can be sent twice any more; `since`: nothing that was committed before is lost. The same `since` again does
 * nothing, unless it was broken off. Another one is another loss, and ends every lease, whatever became of those before it.
 */
export async function settle(dependencies: RecoveryDependencies, since: Date, signal: AbortSignal): Promise<Recovery> {
  const { db, now, onChange, log } = dependencies;
  const recovery = await start(dependencies, since);
  if (recovery.settledAt !== undefined) return recovery;
  log.warn({ since, lastSeq: recovery.lastSeq }, "recovery: every lease has ended, none is granted");
  onChange();
  await makeAllUnknown(dependencies, recovery, signal);
  await markSettled(db, recovery, now());
  const settled = await loadRecovery(db, since);
  if (settled === undefined) throw new Error(`recovery since ${since.toISOString()} vanished`);
  const { messages, grantsAfter } = settled;
  log.warn({ since, messages, grantsAfter }, "recovery: what may have been sent is unknown, leases are granted again");
  onChange();
  return settled;
}

/**
 * One commit, after which nothing of any term that was granted so far is begun. What is sending is dealt with in it, so that no
 * holder's last receipt gives it back to be sent again.
 */
async function start(dependencies: RecoveryDependencies, since: Date): Promise<Recovery> {
  const { db, now, leaseMs } = dependencies;
  return transaction(db, async (tx) => {
    const { highestTerm, clock } = await lockLeases(tx);
    const before = await loadRecovery(tx, since);
    if (before !== undefined) return before;
    const above = termsAbove(highestTerm, clock);
    await endAllLeases(tx, above);
    const recovery = await insertRecovery(tx, { since, now: now(), termsAbove: above, leaseMs });
    await makeUnknown(tx, dependencies, since, await findSending(tx));
    return recovery;
  });
}

async function makeAllUnknown(
  dependencies: RecoveryDependencies,
  { since, startedAt, lastSeq }: Recovery,
  signal: AbortSignal,
): Promise<void> {
  const { db, onChange } = dependencies;
  for (;;) {
    signal.throwIfAborted();
    const messageIds = await findPossiblySent(db, { lastSeq, dueUntil: dueUntil(startedAt), most: batchRows });
    if (messageIds.length === 0) return;
    await transaction(db, (tx) => makeUnknown(tx, dependencies, since, messageIds));
    onChange();
  }
}

async function makeUnknown(
  tx: Queryable,
  { register, now }: RecoveryDependencies,
  since: Date,
  messageIds: readonly string[],
): Promise<void> {
  const found = await lockMessages(tx, messageIds);
  const at = now();
  const steps = [...found.values()].map((before) => {
    const step = next(before, { kind: "recover" }, at, register.policyOf(before.phoneNumberId));
    return { before, ...step };
  });
  const changed = steps.flatMap(({ before, row, transition }) =>
    row === before ? [] : { message: row, transitions: transition === undefined ? [] : [transition] },
  );
  await updateMessages(tx, changed);
  await enqueue(
    tx,
    "messages",
    steps.flatMap(({ row, news }) =>
      news.map((one) => messageEvent({ message: row, news: one }, register.placeOf(row.phoneNumberId))),
    ),
  );
  // Another copy of the service may have come first, and changed them.
  await saveSettled(tx, since, changed.length);
}
