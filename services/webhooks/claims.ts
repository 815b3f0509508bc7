// Fetches from the table what is due and in nobody's hands: retries, what there was no room for, what a dead process left,
// what was claimed by a statement whose answer was lost.
// It sleeps until something is due or asked for; every few seconds it looks at all endpoints, for what only the table knows.
import { randomUUID } from "node:crypto";
import { type Loop, loop, sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { type Endpoint, type Item, roomToClaim, wakesAt } from "./endpoint.ts";
import { claimDeliveries, loadNextDue } from "./store.ts";

export type Claims = AsyncDisposable & {
  /** The endpoint's state changed: look at the table for it when it says so, which may be now. */
  notice(endpoint: Endpoint): void;
  /** The answer to a statement that claims was lost: whatever it claimed is to be fetched. */
  lose(claimId: string): void;
};

type Dependencies = {
  db: Queryable;
  log: Log;
  now: () => Date;
  leaseMsOf: (endpoint: Endpoint) => number;
  /** How often all endpoints are looked at. */
  searchIntervalMs: number;
  endpoints: () => readonly Endpoint[];
  heldLimit: () => number;
  /** Brings endpoints and outcomes up to date before the table is read. */
  prepare: () => Promise<void>;
  take: (endpoint: Endpoint, items: readonly Item[]) => void;
};

// Between two claims, so that deliveries that end one by one share one.
const spacingMs = 20;
// Node's timers hold no more; a longer one would fire at once.
const longestTimerMs = 2 ** 31 - 1;

export function startClaims(dependencies: Dependencies): Claims {
  const { log, now, leaseMsOf, searchIntervalMs, endpoints, heldLimit, prepare } = dependencies;
  /** By claim id, when what was claimed is free again anyway, by performance.now(). */
  const lost = new Map<string, number>();
  let searchedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;

  async function fill(signal: AbortSignal): Promise<void> {
    await prepare();
    const at = now();
    const isSearch = performance.now() - searchedAt >= searchIntervalMs;
    const asked = endpoints().flatMap((endpoint) => {
      const room = roomToClaim(endpoint, heldLimit(), at);
      return room > 0 && (isSearch || wakesAt(endpoint, heldLimit(), at) <= at.getTime()) ? [{ endpoint, room }] : [];
    });
    for (const [claimId, endsAt] of lost) if (performance.now() > endsAt) lost.delete(claimId);
    if (asked.length > 0 && !signal.aborted) {
      const claimId = randomUUID();
      await claim(dependencies, asked, { claimId, lostClaimIds: [...lost.keys()] }, at).catch((error: unknown) => {
        lose(claimId);
        throw error;
      });
    }
    if (isSearch) searchedAt = performance.now();
    clearTimeout(timer);
    timerAt = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints()) wakeAt(wakesAt(endpoint, heldLimit(), at));
    await sleep(spacingMs, signal);
  }

  function lose(claimId: string): void {
    lost.set(claimId, performance.now() + Math.max(0, ...endpoints().map(leaseMsOf)));
    for (const endpoint of endpoints()) {
      endpoint.isBehind = true;
      wakeAt(wakesAt(endpoint, heldLimit(), now()));
    }
  }

  function wakeAt(at: number): void {
    if (at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    const wake = (): void => {
      timerAt = Number.POSITIVE_INFINITY;
      filling.wake();
    };
    timer = setTimeout(wake, Math.min(Math.max(0, at - now().getTime()), longestTimerMs));
  }

  const filling: Loop = loop({ name: "claims", intervalMs: searchIntervalMs, jitter: 0.2, log, task: fill });
  return {
    notice: (endpoint) => wakeAt(wakesAt(endpoint, heldLimit(), now())),
    lose,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      await filling[Symbol.asyncDispose]();
    },
  };
}

type Asked = { endpoint: Endpoint; room: number };

async function claim(
  { db, leaseMsOf, take }: Dependencies,
  asked: readonly Asked[],
  ids: { claimId: string; lostClaimIds: readonly string[] },
  at: Date,
): Promise<void> {
  // What is noticed while the table is read sets these again.
  for (const { endpoint } of asked) {
    endpoint.isBehind = false;
    endpoint.nextDueAt = Number.POSITIVE_INFINITY;
  }
  const startedAt = performance.now();
  const rooms = asked.map(({ endpoint, room }) => ({ ...idOf(endpoint), room, leaseMs: leaseMsOf(endpoint) }));
  const claimed = await claimDeliveries(db, rooms, ids, at);
  const due = await loadNextDue(
    db,
    asked.map(({ endpoint }) => idOf(endpoint).subscriptionId),
    at,
  );
  const bySubscription = Map.groupBy(claimed, ({ subscriptionId }) => subscriptionId);
  for (const { endpoint, room } of asked) {
    const { subscriptionId } = idOf(endpoint);
    const items = (bySubscription.get(subscriptionId) ?? []).toSorted((a, b) => a.deliveryId - b.deliveryId);
    if (items.length >= room) endpoint.isBehind = true;
    const dueAt = due.get(subscriptionId)?.getTime() ?? Number.POSITIVE_INFINITY;
    endpoint.nextDueAt = Math.min(endpoint.nextDueAt, dueAt);
    const leaseEndsAt = startedAt + leaseMsOf(endpoint);
    // Followed: others of its key may wait in the table behind it.
    take(
      endpoint,
      items.map((item) => ({ ...item, leaseEndsAt, followed: true })),
    );
  }
}

function idOf({ subscription: { subscriptionId } }: Endpoint): { subscriptionId: number } {
  return { subscriptionId };
}
