// The RPCs of webhooks, in proto order.
import { ServiceError } from "#lib/errors.ts";
import { serve } from "#lib/grpc.ts";
import type { Queryable } from "#lib/postgres.ts";
import { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { Directory } from "./directory.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { countDead, listDeliveries, loadBacklogs } from "./history-store.ts";
import {
  applySubscription,
  type Described,
  describeSubscriptions,
  loadSubscription,
  removeSubscription,
} from "./subscription-store.ts";
import { parseDeliveryQuery, parseSubscription, toDelivery, toStatus, toSubscription } from "./wire.ts";

type Dependencies = { db: Queryable; directory: Directory; dispatcher: Dispatcher; now: () => Date };

export function webhooksServer({ db, directory, dispatcher, now }: Dependencies) {
  /** The answer tells that the change counts, so this process must know it first. */
  async function learn(): Promise<void> {
    await directory.reload();
    dispatcher.sync();
  }

  /** With what waits and what was given up, in the order given. */
  async function statusesOf(described: readonly Described[]) {
    const ids = described.map(({ subscription }) => subscription.subscriptionId);
    const [backlogs, dead] = await Promise.all([loadBacklogs(db, ids), countDead(db, ids)]);
    const waiting = new Map(backlogs.map((backlog) => [backlog.subscriptionId, backlog]));
    return described.map((one) => {
      const { subscriptionId } = one.subscription;
      return toStatus(one, { backlog: waiting.get(subscriptionId), dead: dead.get(subscriptionId) ?? 0 }, now());
    });
  }

  return serve(WebhooksService, {
    async applySubscription(request) {
      const spec = parseSubscription(request.subscription);
      await applySubscription(db, spec, now());
      await learn();
      return { subscription: toSubscription(spec) };
    },

    async removeSubscription({ name }) {
      await removeSubscription(db, name, now());
      await learn();
      return {};
    },

    async getSubscription({ name }) {
      const described = await getSubscription(db, name);
      const [status] = await statusesOf([described]);
      return { subscription: toSubscription(described.subscription), ...(status !== undefined && { status }) };
    },

    async listSubscriptions() {
      const described = await describeSubscriptions(db);
      return {
        subscriptions: described.map(({ subscription }) => toSubscription(subscription)),
        statuses: await statusesOf(described),
      };
    },

    async listDeliveries(request) {
      const { name, state, before, limit } = parseDeliveryQuery(request);
      const { subscription } = await getSubscription(db, name);
      const { subscriptionId } = subscription;
      const found = await listDeliveries(db, { subscriptionId, state, before, limit: limit + 1 });
      const shown = found.slice(0, limit);
      return {
        deliveries: shown.map((delivery) => toDelivery(name, delivery)),
        nextPageToken: found.length > limit ? String(shown.at(-1)?.deliveryId ?? "") : "",
      };
    },
  });
}

async function getSubscription(db: Queryable, name: string) {
  const found = await loadSubscription(db, name);
  if (found === undefined) {
    throw new ServiceError("NOT_FOUND", "subscription_unknown", `subscription ${name} is not known`);
  }
  return found;
}
