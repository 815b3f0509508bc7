// Reads the templates of business accounts from WhatsApp, through any connected number of the account.
// Accounts that are due are rows claimed by one copy of the service at a time; a reading that fails is due again soon.
import { ServiceError } from "#lib/errors.ts";
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import type { UpstreamTemplate } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { AccountUpstream } from "./account-upstream.ts";
import {
  claimDueAccounts,
  insertAccounts,
  lockAccounts,
  markSynced,
  markSyncFailed,
  type StoredAccount,
} from "./account-store.ts";
import { dueAfterReading, retryAfterMs } from "./domain/schedule.ts";
import { isDocumented } from "./domain/state.ts";
import { type Listed, planSync } from "./domain/sync.ts";
import type { Metrics } from "./metrics.ts";
import { lockAccountReviews, saveReviews, upsertTemplates } from "./store.ts";
import { parseListed } from "./wire.ts";

type Dependencies = {
  db: Pool;
  upstream: AccountUpstream;
  now: () => Date;
  log: Log;
  metrics: Metrics;
  everyMs: number;
  pollMs: number;
};

export type Sync = AsyncDisposable & {
  /** Reads the account now and answers how many templates it has. Throws FAILED_PRECONDITION number_disconnected. */
  syncAccount(wabaId: string): Promise<number>;
  /** Accounts may be due. */
  wake(): void;
};

const claimMs = 120_000;
const claimLimit = 4;
// All pages of an account with 6,000 templates.
const listDeadlineMs = 60_000;

export function startSync(dependencies: Dependencies): Sync {
  const { db, now, log, pollMs } = dependencies;
  const syncing: Loop = loop({
    name: "template sync",
    intervalMs: pollMs,
    log,
    async task(signal) {
      const at = now();
      const claimedUntil = new Date(at.getTime() + claimMs);
      const due = await claimDueAccounts(db, { now: at, claimedUntil, limit: claimLimit });
      await Promise.all(due.map((account) => syncOrPutOff(dependencies, account, signal)));
      return due.length === claimLimit ? "again" : undefined;
    },
  });
  return {
    syncAccount: (wabaId) => syncOnce(dependencies, { wabaId, plannedAt: undefined }),
    wake: () => syncing.wake(),
    [Symbol.asyncDispose]: () => syncing[Symbol.asyncDispose](),
  };
}

async function syncOrPutOff(dependencies: Dependencies, account: StoredAccount, signal: AbortSignal): Promise<void> {
  const { db, now, log } = dependencies;
  const { wabaId, syncDueAt, syncFailures } = account;
  try {
    await syncOnce(dependencies, { wabaId, plannedAt: syncDueAt }, signal);
  } catch (error) {
    if (signal.aborted) return;
    const { reason } = ServiceError.from(error);
    log.warn({ err: error, wabaId, reason }, "templates could not be read, will try again");
    const dueAt = new Date(now().getTime() + retryAfterMs(syncFailures + 1));
    await markSyncFailed(db, { wabaId, dueAt, reason });
  }
}

type Reading = {
  wabaId: string;
  /** When the next one is due if no news come meanwhile; undefined: this one is besides the timetable and does not change it. */
  plannedAt: Date | undefined;
};

/** Answers how many templates the account has. */
async function syncOnce(dependencies: Dependencies, reading: Reading, signal?: AbortSignal): Promise<number> {
  const { metrics, now } = dependencies;
  const listedAt = now();
  try {
    const found = await listTemplates(dependencies, reading.wabaId, signal);
    const listed = found.map(parseListed).filter((template) => template !== undefined);
    metrics.unreadable.inc(found.length - listed.length);
    metrics.undocumented.inc(listed.filter(({ status }) => !isDocumented(status)).length);
    await save(dependencies, reading, listed, listedAt);
    metrics.syncs.inc({ outcome: "saved" });
    return listed.length;
  } catch (error) {
    metrics.syncs.inc({ outcome: ServiceError.from(error).reason });
    throw error;
  }
}

function listTemplates({ upstream }: Dependencies, wabaId: string, signal?: AbortSignal): Promise<UpstreamTemplate[]> {
  return upstream.read(wabaId, { deadlineMs: listDeadlineMs, signal }, async (number, options) => {
    const list = await number.listTemplates({}, options);
    if (list.wabaId === wabaId) return list.templates;
    throw new ServiceError(
      "FAILED_PRECONDITION",
      "account_mismatch",
      `a number of account ${wabaId} belongs to ${list.wabaId}`,
    );
  });
}

async function save(
  { db, everyMs }: Dependencies,
  { wabaId, plannedAt }: Reading,
  listed: readonly Listed[],
  listedAt: Date,
): Promise<void> {
  // The random part keeps accounts that were connected together from being read together for ever.
  const nextAt = new Date(listedAt.getTime() + everyMs * (1 + Math.random() / 10));
  await transaction(db, async (tx) => {
    await insertAccounts(tx, [wabaId], nextAt);
    const [account] = await lockAccounts(tx, [wabaId]);
    if (account === undefined || isNewer(account.syncedAt, listedAt)) return;
    // A reading may show the time before a change of ours that came meanwhile; the change has made another one due.
    if (isNewer(account.changedAt, listedAt)) return;
    const plan = planSync(await lockAccountReviews(tx, wabaId), listed, listedAt);
    const vanished = plan.vanished.map((template) => ({ ...template, wabaId }));
    await upsertTemplates(tx, wabaId, plan.upserts);
    if (vanished.length > 0) await saveReviews(tx, vanished);
    await markSynced(tx, { wabaId, syncedAt: listedAt, dueAt: dueAfterReading(plannedAt, account.syncDueAt, nextAt) });
  });
}

/** Whether it happened after the reading began. */
function isNewer(at: Date | undefined, listedAt: Date): boolean {
  return at !== undefined && at > listedAt;
}
