// Reads everything that is known of a webhook subscription. All of it comes from caches but the Secrets, which are looked at now and then.
import { equals } from "@bufbuild/protobuf";
import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { type Subscription, SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { Stored } from "../kinds.ts";
import { annotations } from "../names.ts";
import { findOlder } from "../older.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Work } from "../runtime/controller.ts";
import type { SecretFacts, Secrets } from "../secrets.ts";
import type { Watches } from "../watches.ts";
import type { DeliveryFacts, Resolved, SubscriptionFacts } from "./facts.ts";
import type { Described, KnownSubscriptions } from "./known-subscriptions.ts";
import type { Memories, SubscriptionMemory } from "./memory.ts";
import { type Candidate, type Candidates, resolve } from "./scope.ts";

export type Observed = { facts: SubscriptionFacts; memory: SubscriptionMemory };

export type ObserverOptions = {
  watches: Pick<Watches, "subscriptions" | "accounts" | "numbers">;
  secrets: Pick<Secrets, "look">;
  known: Pick<KnownSubscriptions, "get">;
  memories: Memories;
  clock: Clock;
};

type Resource = Stored<WebhookSubscription>;

/** The Secrets that it refers to, the newer first. */
export function secretRefsOf({
  secretRef,
  previousSecretRef,
}: WebhookSubscription["spec"]): { name: string; key: string }[] {
  return previousSecretRef === undefined ? [secretRef] : [secretRef, previousSecretRef];
}

/** Undefined: there is no such subscription. */
export function subscriptionObserver(options: ObserverOptions): (work: Work) => Promise<Observed | undefined> {
  const { watches, secrets: opened, known, memories, clock } = options;
  return async ({ key }) => {
    const subscription = watches.subscriptions.store.get(key);
    if (subscription === undefined) return undefined;
    const memory = memories.of(key);
    followAnnotation(memory, subscription);
    const { namespace = "" } = subscription.metadata;
    const references = secretRefsOf(subscription.spec);
    const secrets = await Promise.all(references.map((ref) => opened.look(`${namespace}/${ref.name}`, ref.key)));
    // From here on nothing is awaited: the rest is of one moment.
    const nowMs = clock.monotonicMs();
    const resolved = resolve(subscription, candidatesFor(options, subscription), key);
    const answer = known.get(key);
    const facts: SubscriptionFacts = {
      subscription,
      secrets,
      resolved,
      fingerprint: fingerprintOf(resolved, secrets),
      applied: memory.applied && { fingerprint: memory.applied.fingerprint, agoMs: nowMs - memory.applied.atMs },
      applying: memory.applying,
      removing: memory.removing,
      delivery:
        answer.kind === "away"
          ? answer
          : { kind: "known", value: answer.value && toDelivery(answer.value, resolved, secrets.length) },
      figuresWrittenMs: nowMs - memory.figuresWrittenAtMs,
      nowMs,
      now: new Date(clock.wallMs()),
    };
    return { facts, memory };
  };
}

/** What a person asks to be tried again is tried again. */
function followAnnotation(memory: SubscriptionMemory, { metadata }: Resource): void {
  const reconcileAt = metadata.annotations?.[annotations.reconcileAt];
  if (memory.reconcileAt === reconcileAt) return;
  Object.assign(memory, { reconcileAt, applying: undefined, removing: undefined });
}

function fingerprintOf(resolved: Resolved, secrets: readonly SecretFacts[]): string | undefined {
  const hashes = secrets.flatMap((secret) => (secret.kind === "present" ? [secret.hash] : []));
  return resolved.kind === "resolved" && hashes.length === secrets.length
    ? hashOf([resolved.declared, hashes])
    : undefined;
}

/** Of numbers only those that it refers to: a namespace may have thousands. */
function candidatesFor({ watches }: ObserverOptions, { metadata, spec }: Resource): Candidates {
  const { accounts, numbers } = watches;
  const keyOfRef = ({ name }: { name: string }): string => `${metadata.namespace ?? ""}/${name}`;
  const isOpen = spec.numberRefs === undefined && spec.accountRefs === undefined;
  const openTo = (): Stored<WhatsAppBusinessAccount>[] =>
    Array.from(accounts.store.objects()).filter((account) => account.metadata.namespace === metadata.namespace);
  const named = (spec.accountRefs ?? []).map((ref) => accounts.store.get(keyOfRef(ref)));
  const found = (isOpen ? openTo() : named).filter((account) => account !== undefined);
  const referred = (spec.numberRefs ?? []).map((ref) => numbers.store.get(keyOfRef(ref)));
  return {
    accounts: found
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map((account) => candidate(account, accounts.store.lookup("wabaId", account.spec.wabaId))),
    numbers: referred
      .filter((number) => number !== undefined)
      .map((number) => candidate(number, sameNumber(numbers.store.lookup, number))),
  };
}

function sameNumber(lookup: Watches["numbers"]["store"]["lookup"], { spec }: WhatsAppNumber): Stored<WhatsAppNumber>[] {
  return [...lookup("phoneNumberId", spec.phoneNumberId), ...lookup("phoneNumber", spec.phoneNumber)];
}

function candidate<T extends Stored<object>>(resource: T, others: readonly T[]): Candidate<T> {
  return { resource, isInUse: findOlder(resource, others) !== undefined };
}

function toDelivery({ subscription, status }: Described, resolved: Resolved, secretCount: number): DeliveryFacts {
  const isAsDeclared =
    resolved.kind === "resolved" &&
    status.validSecrets === secretCount &&
    equals(SubscriptionSchema, subscription, inNormalForm(resolved.declared));
  return {
    isAsDeclared,
    pausedUntil: toDate(status.pausedUntil),
    waiting: Number(status.waiting),
    oldestWaitingAt: toDate(status.oldestWaitingAt),
    lastSuccessAt: toDate(status.lastSuccessAt),
    lastFailureAt: toDate(status.lastFailureAt),
    lastFailure: status.lastFailure,
  };
}

/** As the service tells it again: the URL in its normal form. */
function inNormalForm(declared: Subscription): Subscription {
  return { ...declared, url: URL.parse(declared.url)?.href ?? declared.url };
}

function toDate(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
