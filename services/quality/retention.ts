// Forgets reservations that no news can concern any more.
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { forgottenBefore } from "./domain/limit.ts";
import { deleteOldReservations } from "./limit-store.ts";

type Dependencies = { db: Queryable; now: () => Date; log: Log };

const everyMs = 600_000;
const batch = 5_000;

export function startRetention({ db, now, log }: Dependencies): Loop {
  return loop({
    name: "reservation retention",
    intervalMs: everyMs,
    jitter: 0.5,
    log,
    async task() {
      const deleted = await deleteOldReservations(db, { lapsedBefore: forgottenBefore(now()), limit: batch });
      return deleted === batch ? "again" : undefined;
    },
  });
}
