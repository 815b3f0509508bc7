// What this process knows of one endpoint: what it holds for it, how well it is, and what may still wait in the table.
import { type Health, healthy, slots, windowOf } from "./domain/health.ts";
import { createEndpointQueue, type EndpointQueue } from "./endpoint-queue.ts";
import type { Claimed } from "./store.ts";
import type { Subscription } from "./subscription-store.ts";

/** A delivery that this process has claimed. */
export type Item = Claimed & {
  /** By performance.now(): until then nobody else takes it. */
  leaseEndsAt: number;
  followed: boolean;
};

export type Endpoint = {
  subscription: Subscription;
  queue: EndpointQueue<Item>;
  health: Health;
  underWay: number;
  /** Of an exchange, moving. */
  averageMs: number;
  /** The table may hold deliveries that are due and in nobody's hands. */
  isBehind: boolean;
  /** When one that waits in the table becomes due, in ms since 1970; Infinity if none is known. */
  nextDueAt: number;
};

/** `isBehind` at first: what an earlier process left is found by looking. */
export function createEndpoint(subscription: Subscription): Endpoint {
  return {
    subscription,
    queue: createEndpointQueue<Item>(),
    health: healthy,
    underWay: 0,
    averageMs: 0,
    isBehind: true,
    nextDueAt: Number.POSITIVE_INFINITY,
  };
}

/** How many may be sent to it at once. */
export function slotsOf({ health, subscription }: Endpoint, now: Date): number {
  return slots(health, subscription.concurrency, now);
}

/** How many may be held for it. `heldLimit` is its share of what the process holds in all; it never goes below one per slot. */
function capacityOf(endpoint: Endpoint, heldLimit: number, now: Date): number {
  const open = slotsOf(endpoint, now);
  if (open < endpoint.subscription.concurrency) return open;
  return Math.max(open, Math.min(windowOf(open, endpoint.averageMs), heldLimit));
}

/** Room for deliveries that were just inserted: none while older ones wait in the table, so that those are not overtaken. */
export function roomForNew(endpoint: Endpoint, heldLimit: number, now: Date): number {
  return endpoint.isBehind ? 0 : Math.max(0, capacityOf(endpoint, heldLimit, now) - endpoint.queue.size);
}

/** Room to be filled from the table: none until half of what it may hold is gone, so that one claim fetches many. */
export function roomToClaim(endpoint: Endpoint, heldLimit: number, now: Date): number {
  const capacity = capacityOf(endpoint, heldLimit, now);
  return endpoint.queue.size * 2 > capacity ? 0 : capacity - endpoint.queue.size;
}

/** When to look at the table for it, in ms since 1970; Infinity if nothing waits, or if a delivery under way will tell. */
export function wakesAt(endpoint: Endpoint, heldLimit: number, now: Date): number {
  const pauseEndsAt = endpoint.health.pause?.until.getTime() ?? 0;
  if (pauseEndsAt > now.getTime()) return pauseEndsAt;
  if (roomToClaim(endpoint, heldLimit, now) === 0) return Number.POSITIVE_INFINITY;
  return endpoint.isBehind ? now.getTime() : endpoint.nextDueAt;
}
