// One attempt to deliver, from the endpoint's queue to what became of it.
import { faultPoint } from "#lib/fault-points.ts";
import type { Log } from "#lib/log.ts";
import { afterFailure, healthy } from "./domain/health.ts";
import { afterFailedAttempt, type Failure, type Schedule } from "./domain/retry.ts";
import { validSecrets } from "./domain/secrets.ts";
import { type Endpoint, type Item, slotsOf } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import type { Outcomes } from "./outcomes.ts";
import type { RecentIds } from "./recent-ids.ts";
import type { Sender } from "./sender.ts";
import type { Statuses } from "./statuses.ts";

export type Attempts = {
  sender: Sender;
  outcomes: Outcomes;
  statuses: Statuses;
  metrics: Metrics;
  recentlyDelivered: RecentIds;
  schedule: Schedule;
  leaseSlackMs: number;
  /** Aborted: nothing new begins. */
  closing: AbortSignal;
  /** The endpoint's state changed. */
  notice: (endpoint: Endpoint) => void;
  now: () => Date;
  log: Log;
};

/** Begins what may be sent now. */
export function advance(attempts: Attempts, endpoint: Endpoint): void {
  const open = attempts.closing.aborted ? 0 : slotsOf(endpoint, attempts.now());
  while (endpoint.underWay < open) {
    const item = endpoint.queue.take();
    if (item === undefined) break;
    if (canFinish(attempts, endpoint, item)) void deliver(attempts, endpoint, item);
    else giveBack(attempts, endpoint, [item, ...endpoint.queue.leave(item)]);
  }
  attempts.notice(endpoint);
}

/** Gives claims back unused, for whoever has room. */
export function giveBack({ outcomes }: Attempts, endpoint: Endpoint, items: readonly Item[]): void {
  for (const item of items) outcomes.released(item);
  if (items.length > 0) endpoint.isBehind = true;
}

/** Within its claim, with a fifth of the slack for saving what became of it. */
function canFinish({ leaseSlackMs }: Attempts, { subscription }: Endpoint, item: Item): boolean {
  return item.leaseEndsAt - performance.now() >= subscription.timeoutMs + leaseSlackMs / 5;
}

const averageWeight = 0.1;

async function deliver(attempts: Attempts, endpoint: Endpoint, item: Item): Promise<void> {
  const { sender, metrics, now } = attempts;
  const { url, timeoutMs, name } = endpoint.subscription;
  const { eventId, attempt, body } = item;
  const startedAt = now();
  const startedMs = performance.now();
  endpoint.underWay += 1;
  faultPoint("delivery.post.before");
  const secrets = validSecrets(endpoint.subscription, startedAt);
  const outcome = await sender.send({ url, secrets, eventId, attempt, body, timeoutMs });
  faultPoint("delivery.post.after");
  endpoint.underWay -= 1;
  endpoint.averageMs += averageWeight * (performance.now() - startedMs - endpoint.averageMs);
  metrics.attempts.inc({ subscription: name, outcome: outcome.kind });
  if (outcome.kind === "delivered") succeed(attempts, endpoint, item);
  else fail(attempts, endpoint, item, { failure: outcome.failure, startedAt });
  advance(attempts, endpoint);
}

function succeed(attempts: Attempts, endpoint: Endpoint, item: Item): void {
  const { outcomes, statuses, recentlyDelivered, metrics, now, log } = attempts;
  const { subscriptionId, deliveryId, createdAt } = item;
  const finishedAt = now();
  outcomes.delivered({ subscriptionId, deliveryId, finishedAt });
  statuses.succeeded(subscriptionId, finishedAt);
  recentlyDelivered.add(deliveryId);
  endpoint.queue.finish(item);
  if (item.followed) endpoint.isBehind = true;
  if (endpoint.health.pause !== undefined)
    log.info({ subscription: endpoint.subscription.name }, "endpoint answers again");
  endpoint.health = healthy;
  metrics.delay.observe((finishedAt.getTime() - createdAt.getTime()) / 1_000);
}

type Failing = { failure: Failure; startedAt: Date };

function fail(attempts: Attempts, endpoint: Endpoint, item: Item, { failure, startedAt }: Failing): void {
  const { outcomes, statuses, metrics, schedule, now } = attempts;
  const { subscription, queue } = endpoint;
  const { subscriptionId, deliveryId, attempt, createdAt } = item;
  const { status, reason } = failure;
  const failedAt = now();
  const tried = {
    attempt,
    createdAt,
    keepTryingSeconds: subscription.keepTryingSeconds,
    failure,
    random: Math.random(),
  };
  const next = afterFailedAttempt(tried, schedule, failedAt);
  const dueAt = next.state === "waiting" ? next.dueAt : undefined;
  outcomes.failed({ subscriptionId, deliveryId, attempt, failedAt, status, reason, dueAt });
  giveBack(attempts, endpoint, queue.leave(item));
  if (dueAt === undefined) {
    endpoint.isBehind = true;
    metrics.dead.inc({ subscription: subscription.name });
  } else {
    endpoint.nextDueAt = Math.min(endpoint.nextDueAt, dueAt.getTime());
  }
  const health = afterFailure(endpoint.health, failure, startedAt, schedule.baseMs, failedAt);
  if (health.pause !== undefined && health !== endpoint.health) pause(attempts, endpoint, reason);
  endpoint.health = health;
  statuses.failed(subscriptionId, failedAt, reason, health.pause?.until);
}

/** What is held goes back to the table: when the endpoint is well again, the oldest go first. */
function pause(attempts: Attempts, endpoint: Endpoint, reason: string): void {
  const { name: subscription } = endpoint.subscription;
  if (endpoint.health.pause === undefined)
    attempts.log.warn({ subscription, reason }, "endpoint fails, it is left alone for a while");
  giveBack(attempts, endpoint, endpoint.queue.clear());
  endpoint.isBehind = true;
}
