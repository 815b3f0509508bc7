// Which subscriptions a change is of interest to. Handlers only compute keys.
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import type { Stored } from "../kinds.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import type { WorkQueue } from "../runtime/queue.ts";
import type { Change } from "../runtime/store.ts";
import type { Secrets } from "../secrets.ts";
import type { Watches } from "../watches.ts";
import type { KnownSubscriptions } from "./known-subscriptions.ts";
import { secretRefsOf } from "./observe.ts";

type WakesOptions = {
  watches: Pick<Watches, "subscriptions" | "accounts" | "numbers">;
  secrets: Pick<Secrets, "follow">;
  known: Pick<KnownSubscriptions, "follow">;
  queue: WorkQueue;
};

type Subscription = Stored<WebhookSubscription>;

/** Must be called before anything is awaited, so that no change is missed. */
export function wakeSubscriptions({ watches, secrets, known, queue }: WakesOptions): void {
  const { subscriptions, accounts, numbers } = watches;
  const wake = (isOf: (subscription: Subscription) => boolean): void => {
    for (const subscription of subscriptions.store.objects())
      if (isOf(subscription)) queue.add(keyOf(subscription.metadata));
  };
  subscriptions.follow((change) => queue.add(keyOf(change.object.metadata), { priority: priorityOf(change) }));
  // One that comes or goes may free another's id, in whatever namespace.
  accounts.follow((change) => {
    if (isChanged(change)) wake(({ spec }) => spec.numberRefs === undefined);
  });
  numbers.follow((change) => {
    if (!isChanged(change)) return;
    const names = namesOf(change.object.spec, numbers.store.lookup).add(keyOf(change.object.metadata));
    wake(
      ({ metadata, spec }) =>
        spec.numberRefs?.some(({ name }) => names.has(`${metadata.namespace ?? ""}/${name}`)) === true,
    );
  });
  secrets.follow({
    referenced: () => Array.from(subscriptions.store.objects()).flatMap(secretsOf),
    onChange: (secret) => wake((subscription) => secretsOf(subscription).includes(secret)),
  });
  known.follow({
    onChange: (name) => {
      if (subscriptions.store.get(name) !== undefined) queue.add(name);
    },
    onTurn: () => wake(() => true),
  });
}

function isChanged<T extends Stored<object>>(change: Change<T>): boolean {
  return change.type !== "updated" || change.before.metadata.generation !== change.object.metadata.generation;
}

/** Numbers that mean the same one as this does. */
function namesOf(
  { phoneNumberId, phoneNumber }: { phoneNumberId: string; phoneNumber: string },
  lookup: Watches["numbers"]["store"]["lookup"],
): Set<Key> {
  const found = [...lookup("phoneNumberId", phoneNumberId), ...lookup("phoneNumber", phoneNumber)];
  return new Set(found.map(({ metadata }) => keyOf(metadata)));
}

function priorityOf({ type, object }: Change<Subscription>): "urgent" | "normal" | "background" {
  if (type === "deleted" || object.metadata.deletionTimestamp !== undefined) return "urgent";
  const isSettled = object.status?.observedGeneration === object.metadata.generation;
  return type === "added" && isSettled ? "background" : "normal";
}

function secretsOf({ metadata, spec }: Subscription): Key[] {
  return secretRefsOf(spec).map(({ name }) => `${metadata.namespace ?? ""}/${name}`);
}
