// What only time brings about: outcomes that never came, messages too late to be sent, leases that ran out, old keys.
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { Days } from "./days.ts";
import type { Leasing } from "./leasing.ts";
import type { Ledger } from "./ledger.ts";
import { deleteOldKeys, findDue } from "./store/lookup.ts";

type Dependencies = {
  db: Queryable;
  ledger: Pick<Ledger, "sweep">;
  leasing: Pick<Leasing, "noteLapses">;
  days: Pick<Days, "floor">;
  now: () => Date;
  /** Connections came or went. */
  onLapses: () => void;
  log: Log;
};

const everyMs = 1_000;
const keysEveryMs = 600_000;
const keyLifeMs = 48 * 3_600_000;
const batch = 256;
const keyBatch = 1_000;

/** Copies of the service sweep the same rows; the second one finds nothing left to do. */
export function startSweeper({ db, ledger, leasing, days, now, onLapses, log }: Dependencies): AsyncDisposable {
  const loops: Loop[] = [
    loop({
      name: "due messages",
      intervalMs: everyMs,
      jitter: 0.2,
      log,
      async task() {
        const messageIds = await findDue(db, { now: now(), most: batch, floor: days.floor() });
        if (messageIds.length > 0) await ledger.sweep({ kind: "sweep", messageIds });
        return messageIds.length >= batch ? "again" : undefined;
      },
    }),
    loop({
      name: "lease lapses",
      intervalMs: everyMs,
      jitter: 0.2,
      log,
      async task() {
        if ((await leasing.noteLapses()) > 0) onLapses();
      },
    }),
    loop({
      name: "old keys",
      intervalMs: keysEveryMs,
      jitter: 0.2,
      log,
      async task() {
        const before = new Date(now().getTime() - keyLifeMs);
        return (await deleteOldKeys(db, { before, most: keyBatch })) === keyBatch ? "again" : undefined;
      },
    }),
  ];
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
