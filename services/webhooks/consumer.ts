// News becomes deliveries: one commit for all events of a batch, then straight to the dispatcher. An event that comes again,
// or that nobody subscribes to, writes nothing.
import { randomUUID } from "node:crypto";
import { faultPoint } from "#lib/fault-points.ts";
import type { Log } from "#lib/log.ts";
import type { Event } from "#lib/nats.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { Directory } from "./directory.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { wants } from "./domain/matching.ts";
import type { Metrics } from "./metrics.ts";
import { parseNews } from "./news.ts";
import { insertDeliveries, type NewDelivery } from "./store.ts";
import type { Subscription } from "./subscription-store.ts";

type Dependencies = {
  db: Queryable;
  directory: Directory;
  dispatcher: Dispatcher;
  now: () => Date;
  log: Log;
  metrics: Metrics;
};

type Wanted = Omit<NewDelivery, "leaseMs"> & { subscription: Subscription };

export function webhooksConsumer({ db, directory, dispatcher, now, log, metrics }: Dependencies) {
  return async (events: readonly Event[]): Promise<void> => {
    await directory.ensureFresh();
    dispatcher.sync();
    const wanted = events.flatMap((event) => wantedOf(event, directory.known()));
    if (wanted.length === 0) return;
    const deliveries = reserve(once(wanted), dispatcher);
    const startedAt = performance.now();
    const createdAt = now();
    const claimId = randomUUID();
    faultPoint("deliveries.insert.before");
    const inserted = await insertDeliveries(db, deliveries, claimId, createdAt).catch((error: unknown) => {
      // It may have been committed all the same; the batch comes again, and then finds its rows there already.
      dispatcher.loseClaim(claimId);
      throw error;
    });
    faultPoint("deliveries.insert.after");
    const fresh = inserted.flatMap(({ position, deliveryId, predecessorId }) => {
      const delivery = deliveries[position];
      if (delivery === undefined) return [];
      const { subscriptionId, eventId, orderKey, body, leaseMs } = delivery;
      const item = { subscriptionId, deliveryId, eventId, orderKey, body, attempt: 1, claimId, createdAt };
      const leaseEndsAt = startedAt + (leaseMs ?? 0);
      return [{ item: { ...item, leaseEndsAt, followed: false }, predecessorId, isClaimed: leaseMs !== undefined }];
    });
    dispatcher.offer(fresh);
  };

  function wantedOf({ subject, data, seq }: Event, subscriptions: readonly Subscription[]): Wanted[] {
    try {
      const news = parseNews(subject, data);
      if (news === undefined) metrics.ignored.inc({ why: "unknown_subject" });
      const wanting =
        news === undefined ? [] : subscriptions.filter((subscription) => wants(subscription, news.origin));
      const content = wanting.length > 0 ? news?.body() : undefined;
      if (news === undefined || content === undefined) return [];
      const { eventId, orderKey } = news;
      const body = Buffer.from(JSON.stringify(content));
      return wanting.map((subscription) => {
        const { subscriptionId } = subscription;
        return { subscription, subscriptionId, eventId, orderKey, body };
      });
    } catch (error) {
      metrics.ignored.inc({ why: "malformed" });
      log.error({ err: error, subject, seq }, "event cannot be read, left out");
      return [];
    }
  }
}

/** An event may come twice in one batch. */
function once(wanted: readonly Wanted[]): Wanted[] {
  const byKey = new Map<string, Wanted>();
  for (const delivery of wanted) {
    const key = `${delivery.subscriptionId} ${delivery.eventId}`;
    if (!byKey.has(key)) byKey.set(key, delivery);
  }
  return [...byKey.values()];
}

/** Claims as many as there is room for, the first ones: of one key, none is claimed after one that was not. */
function reserve(wanted: readonly Wanted[], dispatcher: Dispatcher): NewDelivery[] {
  const rooms = new Map<number, number>();
  return wanted.map(({ subscription, ...delivery }) => {
    const room = rooms.get(delivery.subscriptionId) ?? dispatcher.roomFor(subscription);
    rooms.set(delivery.subscriptionId, room - 1);
    return { ...delivery, leaseMs: room > 0 ? dispatcher.leaseMsOf(subscription) : undefined };
  });
}
