// Forgets reservations that no news can concern any more, users whose time has passed where nobody reserves any longer, and
// scopes that no number is in.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { forgottenBefore } from "./domain/limit.ts";
import { deleteInactiveUsers, deleteOldReservations } from "./limit-store.ts";
import { addUsed, deleteDesertedScope, findStaleScopes, lockScopes } from "./scope-store.ts";

type Dependencies = { db: Pool; now: () => Date; log: Log };

const everyMs = 600_000;
const reservationBatch = 5_000;
const scopeBatch = 100;
// Whoever reserves in the scope waits meanwhile.
const userBatch = 1_000;

export function startRetention({ db, now, log }: Dependencies): AsyncDisposable {
  return loop({
    name: "retention",
    intervalMs: everyMs,
    jitter: 0.5,
    log,
    async task(signal) {
      const lapsedBefore = forgottenBefore(now());
      const deleted = await deleteOldReservations(db, { lapsedBefore, limit: reservationBatch });
      const isMoreStale = await sweepScopes(db, now(), signal);
      return deleted === reservationBatch || isMoreStale ? "again" : undefined;
    },
  });
}

/** Some of what is to go, in small transactions; answers whether there may be more. */
export async function sweepScopes(db: Pool, now: Date, signal: AbortSignal): Promise<boolean> {
  const scopeIds = await findStaleScopes(db, { now, limit: scopeBatch });
  let isMore = scopeIds.length === scopeBatch;
  for (const scopeId of scopeIds) {
    if (signal.aborted) return false;
    if ((await sweepScope(db, scopeId, now)) === userBatch) isMore = true;
  }
  return isMore;
}

/** Answers how many users left. */
function sweepScope(db: Pool, scopeId: string, now: Date): Promise<number> {
  return transaction(db, async (tx) => {
    const [scope] = await lockScopes(tx, [scopeId]);
    if (scope === undefined) return 0;
    const left = await deleteInactiveUsers(tx, { scopeId, now, limit: userBatch });
    if (left > 0) await addUsed(tx, [{ scopeId, added: -left }]);
    await deleteDesertedScope(tx, scopeId);
    return left;
  });
}
