// After Postgres lost commits: nothing that the ledger forgot may happen a second time. First every lease ends, so that nobody
// sends; then what may have been sent becomes unknown; then the news of that time are told again. It goes on where it was broken off.
import type { Log } from "#lib/log.ts";
import { enqueue } from "#lib/outbox.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { next } from "./domain/message.ts";
import { dueUntil, termsAbove } from "./domain/recovery.ts";
import { messageEvent } from "./events.ts";
import type { Register } from "./register.ts";
import { republish } from "./republish.ts";
import { lockMessages, updateMessages } from "./store/ledger.ts";
import {
  endAllLeases,
  findPossiblySent,
  findSending,
  insertRecovery,
  loadRecovery,
  lockLeases,
  markFinished,
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

export type Recovered = Recovery & { isRepeated: boolean };

/** Rows in a transaction, between which other messages go on. */
const batchRows = 256;

/** `since`: nothing that was committed before is lost. The same `since` again does nothing, unless the first run was broken off. */
export async function recover(
  dependencies: RecoveryDependencies,
  since: Date,
  signal: AbortSignal,
): Promise<Recovered> {
  const { db, now, onChange, log } = dependencies;
  const started = await start(dependencies, since);
  if (started.isFinished) return { ...started, isRepeated: true };
  log.warn({ since: started.since, lastSeq: started.lastSeq }, "recovery: every lease has ended, none is granted");
  onChange();
  if (!started.isSettled) {
    await settle(dependencies, started, signal);
    await markSettled(db, started.since, now());
  }
  const to = now();
  const span = { from: started.since, to };
  const again = {
    db,
    register: dependencies.register,
    onEvents: onChange,
    mark: `recovery.${started.startedAt.getTime()}`,
  };
  const events = await republish(again, span, signal);
  signal.throwIfAborted();
  const finished = await markFinished(db, { since: started.since, events, now: now() });
  const { messages, grantsAfter } = finished;
  log.warn({ messages, events, grantsAfter }, "recovery: what may have been sent is unknown, its news are told again");
  return { ...finished, isRepeated: false };
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

async function settle(
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
