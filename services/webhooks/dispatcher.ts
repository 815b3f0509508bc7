// Sends deliveries: each endpoint has its own queue and its own slots, so that one that hangs takes nothing from the others.
// A new delivery is handed over here right after its commit, already claimed: no second write before it is sent. The row is the
// safety net; memory holds at most what its endpoint takes in two seconds, and the table holds the rest.
import { sleep } from "#lib/lifecycle.ts";
import type { Queryable } from "#lib/postgres.ts";
import { advance, type Attempts, giveBack } from "./attempt.ts";
import { type Claims, startClaims } from "./claims.ts";
import type { Directory } from "./directory.ts";
import { healthy } from "./domain/health.ts";
import { createEndpoint, type Endpoint, type Item, roomForNew } from "./endpoint.ts";
import { createRecentIds } from "./recent-ids.ts";
import type { Subscription } from "./subscription-store.ts";

/** A delivery as it was just inserted. */
type Fresh = {
  item: Item;
  /** The last of its key that waited when it was inserted. */
  predecessorId: number | undefined;
  /** False: it was left to whoever has room. */
  isClaimed: boolean;
};

export type Dispatcher = AsyncDisposable & {
  /** Brings the endpoints in line with the directory. */
  sync(): void;
  /** How many new deliveries of a subscription may be claimed as they are inserted. */
  roomFor(subscription: Subscription): number;
  /** How long such a claim must hold. */
  leaseMsOf(subscription: Subscription): number;
  /** In the order of their ids. */
  offer(fresh: readonly Fresh[]): void;
  /** The answer to a statement that claims was lost: what it may have claimed is nobody's. */
  loseClaim(claimId: string): void;
};

type Dependencies = Omit<Attempts, "recentlyDelivered" | "closing" | "notice"> & {
  db: Queryable;
  directory: Directory;
  searchIntervalMs: number;
  /** How long disposing waits for what is under way. */
  drainMs: number;
};

type Endpoints = Map<number, Endpoint>;

/** In all, over all endpoints: about 10 MiB of bodies. */
const heldInAll = 8_192;
// An insert that began before a delivery was saved as delivered still takes it for waiting.
const rememberMs = 10_000;

export function startDispatcher(dependencies: Dependencies): Dispatcher {
  const { db, directory, outcomes, leaseSlackMs, searchIntervalMs, drainMs, now, log } = dependencies;
  const endpoints: Endpoints = new Map();
  const closing = new AbortController();
  const recentlyDelivered = createRecentIds(rememberMs);
  const attempts: Attempts = {
    ...dependencies,
    recentlyDelivered,
    closing: closing.signal,
    notice: (endpoint) => claims.notice(endpoint),
  };
  const heldLimit = (): number => Math.floor(heldInAll / Math.max(1, endpoints.size));
  const leaseMsOf = ({ timeoutMs }: Subscription): number => timeoutMs + leaseSlackMs;
  let synced: readonly Subscription[] = [];

  function sync(): void {
    if (directory.known() === synced) return;
    synced = directory.known();
    replaceSubscriptions(endpoints, synced);
    for (const endpoint of endpoints.values()) claims.notice(endpoint);
  }

  const claims: Claims = startClaims({
    db,
    log,
    now,
    leaseMsOf: ({ subscription }) => leaseMsOf(subscription),
    searchIntervalMs,
    endpoints: () => [...endpoints.values()],
    heldLimit,
    async prepare() {
      await outcomes.settle();
      await directory.ensureFresh();
      sync();
    },
    take(endpoint, items) {
      // One that is held was claimed again because its claim had run out: the older claim is void, the newer one runs out.
      for (const item of items) if (!endpoint.queue.has(item.deliveryId)) endpoint.queue.add(item);
      advance(attempts, endpoint);
    },
  });

  return {
    sync,
    roomFor({ subscriptionId }) {
      const endpoint = endpoints.get(subscriptionId);
      return endpoint === undefined ? 0 : roomForNew(endpoint, heldLimit(), now());
    },
    leaseMsOf,
    offer: (fresh) => offer(attempts, endpoints, fresh),
    loseClaim: (claimId) => claims.lose(claimId),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await claims[Symbol.asyncDispose]();
      for (const endpoint of endpoints.values()) giveBack(attempts, endpoint, endpoint.queue.clear());
      await drain(attempts, [...endpoints.values()], drainMs);
    },
  };
}

function replaceSubscriptions(endpoints: Endpoints, subscriptions: readonly Subscription[]): void {
  const gone = new Set(endpoints.keys());
  for (const subscription of subscriptions) {
    const { subscriptionId, url } = subscription;
    gone.delete(subscriptionId);
    const endpoint = endpoints.get(subscriptionId);
    if (endpoint === undefined) {
      endpoints.set(subscriptionId, createEndpoint(subscription));
      continue;
    }
    if (url !== endpoint.subscription.url) Object.assign(endpoint, { health: healthy, averageMs: 0 });
    endpoint.subscription = subscription;
  }
  for (const subscriptionId of gone) {
    endpoints.get(subscriptionId)?.queue.clear();
    endpoints.delete(subscriptionId);
  }
}

function offer(attempts: Attempts, endpoints: Endpoints, fresh: readonly Fresh[]): void {
  const touched = new Set<Endpoint>();
  for (const { item, predecessorId, isClaimed } of fresh) {
    const endpoint = endpoints.get(item.subscriptionId);
    if (endpoint === undefined) continue;
    touched.add(endpoint);
    if (isClaimed && mayJoin(attempts, endpoint, predecessorId)) {
      endpoint.queue.add(item);
      continue;
    }
    if (isClaimed) giveBack(attempts, endpoint, [item]);
    endpoint.queue.markFollowed(item.orderKey);
    endpoint.isBehind = true;
  }
  for (const endpoint of touched) advance(attempts, endpoint);
}

/** In order: nothing of the key waits, or what waits is held here too, or it is delivered and only not saved yet. */
function mayJoin({ recentlyDelivered }: Attempts, { queue }: Endpoint, predecessorId: number | undefined): boolean {
  return predecessorId === undefined || queue.has(predecessorId) || recentlyDelivered.has(predecessorId);
}

/** Lets what is under way come to its end; after `drainMs` it is ended. */
async function drain({ sender }: Attempts, endpoints: readonly Endpoint[], drainMs: number): Promise<void> {
  const giveUpAt = performance.now() + drainMs;
  while (endpoints.some(({ underWay }) => underWay > 0)) {
    if (performance.now() > giveUpAt) sender.abort();
    await sleep(20);
  }
}
