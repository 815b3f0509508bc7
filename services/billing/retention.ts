// Forgets windows that closed long ago, in small batches, so that nothing waits for it.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { forgottenBefore } from "./domain/window.ts";
import { deleteOldWindows, type WindowKey } from "./store.ts";

type Dependencies = { db: Queryable; now: () => Date; log: Log };

const everyMs = 3_600_000;
const batch = 1_000;
const beforeAll: WindowKey = { phoneNumberId: "", userId: "" };

export function startRetention({ db, now, log }: Dependencies): AsyncDisposable {
  return loop({
    name: "window retention",
    intervalMs: everyMs,
    jitter: 0.5,
    log,
    task: (signal) => forgetWindows(db, now(), signal),
  });
}

export async function forgetWindows(db: Queryable, now: Date, signal: AbortSignal, limit = batch): Promise<void> {
  const closedBefore = forgottenBefore(now);
  let after: WindowKey | undefined = beforeAll;
  while (after !== undefined && !signal.aborted) after = await deleteOldWindows(db, { after, closedBefore, limit });
}
