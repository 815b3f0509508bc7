// Once an hour: gives up what waited too long, deletes what was finished long ago and what removed subscriptions left. In small
// batches, so that nothing waits for it.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { type Cutoffs, cutoffsOf, expiresBefore, type Retention } from "./domain/retention.ts";
import { deleteFinished, deleteSome, expireDeliveries } from "./history-store.ts";
import type { Metrics } from "./metrics.ts";
import { deleteSubscription, listRemoved, listSubscriptions, type Subscription } from "./subscription-store.ts";

type Dependencies = {
  db: Queryable;
  retention: Retention;
  metrics: Pick<Metrics, "dead">;
  now: () => Date;
  log: Log;
};

const intervalMs = 3_600_000;
const batch = 1_000;
// Longer than any copy goes on inserting for a subscription that was removed through another one.
const forgottenAfterMs = 600_000;

export function startSweep(dependencies: Dependencies): AsyncDisposable {
  const { log } = dependencies;
  return loop({ name: "sweep", intervalMs, jitter: 0.5, log, task: (signal) => sweep(dependencies, signal) });
}

export async function sweep(dependencies: Dependencies, signal: AbortSignal): Promise<void> {
  const { db, retention, now } = dependencies;
  const cutoffs = cutoffsOf(retention, now());
  for (const subscription of await listSubscriptions(db)) {
    await expire(dependencies, subscription, signal);
    await forget(db, subscription, cutoffs, signal);
  }
  for (const subscriptionId of await listRemoved(db)) {
    while (!signal.aborted && (await deleteSome(db, subscriptionId, batch)) > 0);
    if (!signal.aborted) await deleteSubscription(db, subscriptionId, new Date(now().getTime() - forgottenAfterMs));
  }
}

async function expire(dependencies: Dependencies, subscription: Subscription, signal: AbortSignal): Promise<void> {
  const { db, metrics, now, log } = dependencies;
  const { subscriptionId, name, keepTryingSeconds } = subscription;
  const createdBefore = expiresBefore(keepTryingSeconds, now());
  const reason = `not tried within ${keepTryingSeconds} s`;
  let expired = 0;
  for (let some = batch; some === batch && !signal.aborted; expired += some) {
    some = await expireDeliveries(db, { subscriptionId, createdBefore, reason, limit: batch }, now());
  }
  if (expired === 0) return;
  metrics.dead.inc({ subscription: name }, expired);
  log.warn({ subscription: name, deliveries: expired }, "deliveries waited too long and were given up");
}

/** Walks from the oldest on, and ends where everything is too young to go. */
async function forget(
  db: Queryable,
  { subscriptionId }: Subscription,
  cutoffs: Cutoffs,
  signal: AbortSignal,
): Promise<void> {
  for (let after = 0; !signal.aborted;) {
    const page = await deleteFinished(db, { subscriptionId, after, limit: batch, ...cutoffs });
    if (page.lastId === undefined || page.newestAt === undefined) return;
    if (page.rows < batch || page.newestAt >= cutoffs.deliveredBefore) return;
    after = page.lastId;
  }
}
