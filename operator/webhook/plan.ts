// What is to be done for a webhook subscription, and what its status says. Pure and total: every state has a plan. Every reason that
// can appear in its conditions stands here.
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import { type Condition, pausedConditions, type Said, sayForTools, toConditions } from "../conditions.ts";
import { annotations, subscriptionFinalizer } from "../names.ts";
import { waitMs } from "../trial.ts";
import type { Resolved, SubscriptionFacts } from "./facts.ts";
import { type Figures, figuresOf, isFailing, isSame, lags, settle, toFigures, untilLag } from "./figures.ts";

export type SubscriptionStatus = NonNullable<WebhookSubscription["status"]>;

export type Reason =
  | Extract<Resolved, { kind: "unresolved" }>["reason"]
  | "Ready"
  | "Deleting"
  | "RemovalFailed"
  | "SecretMissing"
  | "SubscriptionRefused"
  | "WebhooksAway"
  | "Declaring"
  | "CircuitOpen"
  | "DeliveryFailing";

export type SubscriptionAction =
  | { kind: "keepFinalizers"; finalizers: readonly string[] }
  /** Tells the webhooks service; `fingerprint` is of what it is told. */
  | { kind: "apply"; fingerprint: string }
  /** Ends it there, with what waits. */
  | { kind: "remove" };

export type SubscriptionPlan = {
  /** In this order; the service's answer ends them. */
  actions: readonly SubscriptionAction[];
  status: SubscriptionStatus;
  /** The status has figures that the stored one has not. */
  hasNewFigures: boolean;
  lookAgainMs: number | undefined;
};

type SubscriptionSaid = Said<Reason>;

/** A person must act. */
const stalling: ReadonlySet<Reason> = new Set<Reason>([
  "NumberMissing",
  "NumberInUse",
  "AccountMissing",
  "AccountInUse",
  "NoAccounts",
  "SecretMissing",
  "SubscriptionRefused",
  "RemovalFailed",
]);
/** From then on a person is told how to go without it. */
const mostTries = 5;
/** A service that has it otherwise than declared is told again, but not all the time. */
const applyAgainMs = 60_000;

export function planSubscription(facts: SubscriptionFacts): SubscriptionPlan {
  const { subscription, now } = facts;
  if (subscription.metadata.annotations?.[annotations.paused] === "true") {
    const status = { ...subscription.status, conditions: pausedConditions(subscription, now) };
    return { actions: [], status, hasNewFigures: false, lookAgainMs: undefined };
  }
  const actions = subscription.metadata.deletionTimestamp === undefined ? keep(facts) : endIt(facts);
  const { figures, lookAgainMs } = figuresFor(facts);
  const waits = [lookAgainMs, ...trialWaits(facts)].filter((ms) => ms !== undefined && ms > 0);
  return {
    actions,
    status: statusOf(facts, figures),
    hasNewFigures: !isSame(figures, figuresOf(subscription.status)),
    lookAgainMs: waits.length === 0 ? undefined : Math.max(1_000, Math.min(...waits.filter((ms) => ms !== undefined))),
  };
}

function hasFinalizer({ subscription }: SubscriptionFacts): boolean {
  return subscription.metadata.finalizers?.includes(subscriptionFinalizer) === true;
}

function keep(facts: SubscriptionFacts): SubscriptionAction[] {
  const { fingerprint, resolved } = facts;
  const finalizer: SubscriptionAction[] = hasFinalizer(facts)
    ? []
    : [{ kind: "keepFinalizers", finalizers: [subscriptionFinalizer] }];
  if (resolved.kind === "unresolved" && isForeign(resolved) && isAtService(facts) && mayRemove(facts))
    return [...finalizer, { kind: "remove" }];
  return fingerprint !== undefined && isApplyDue(facts, fingerprint)
    ? [...finalizer, { kind: "apply", fingerprint }]
    : finalizer;
}

/**
 * What it gets at the service is another's. A reference that leads nowhere, and a last account that is deleted, end nothing: they may
 * be applied again in a moment, and with the subscription would go what waits for a sick address.
 */
function isForeign({ reason }: Extract<Resolved, { kind: "unresolved" }>): boolean {
  return reason === "AccountInUse" || reason === "NumberInUse";
}

function isAtService({ delivery }: SubscriptionFacts): boolean {
  return delivery.kind === "known" && delivery.value !== undefined;
}

function mayRemove({ removing, nowMs }: SubscriptionFacts): boolean {
  return waitMs(removing, "removal", nowMs) === 0;
}

function isApplyDue({ applied, applying, delivery, nowMs }: SubscriptionFacts, fingerprint: string): boolean {
  if (waitMs(applying, fingerprint, nowMs) > 0) return false;
  if (applied?.fingerprint !== fingerprint) return true;
  return delivery.kind === "known" && delivery.value?.isAsDeclared !== true && applied.agoMs > applyAgainMs;
}

function endIt(facts: SubscriptionFacts): SubscriptionAction[] {
  return hasFinalizer(facts) && mayRemove(facts)
    ? [{ kind: "remove" }, { kind: "keepFinalizers", finalizers: [] }]
    : [];
}

function trialWaits({ applying, removing, nowMs }: SubscriptionFacts): number[] {
  return [applying, removing].flatMap((trial) => (trial === undefined ? [] : [waitMs(trial, trial.of, nowMs)]));
}

function figuresFor({ subscription, delivery, figuresWrittenMs, now }: SubscriptionFacts): ReturnType<typeof settle> {
  const before = figuresOf(subscription.status);
  if (delivery.kind === "away" || delivery.value === undefined) return { figures: before, lookAgainMs: undefined };
  const settled = settle(toFigures(delivery.value, before, now), before, figuresWrittenMs);
  const waits = [settled.lookAgainMs, untilLag(delivery.value, now)].filter((ms) => ms !== undefined);
  return { ...settled, lookAgainMs: waits.length === 0 ? undefined : Math.min(...waits) };
}

function statusOf(facts: SubscriptionFacts, figures: Figures): SubscriptionStatus {
  const { subscription } = facts;
  const { generation } = subscription.metadata;
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    ...figures,
    conditions: conditionsOf(facts, figures),
  };
}

function conditionsOf(facts: SubscriptionFacts, figures: Figures): Condition[] {
  const ready = sayReady(facts, figures);
  const isRest = ready.status === "True" || ready.reason === "CircuitOpen" || ready.reason === "DeliveryFailing";
  const state = stalling.has(ready.reason) ? "stalled" : isRest ? "settled" : "working";
  return toConditions({ Ready: ready, ...sayForTools(ready, state) }, facts.subscription, facts.now);
}

function say(status: Said["status"], reason: Reason, message: string): SubscriptionSaid {
  return { status, reason, message };
}

function sayReady(facts: SubscriptionFacts, { circuit }: Figures): SubscriptionSaid {
  const { subscription, resolved, secrets, applied, applying, delivery, fingerprint } = facts;
  if (subscription.metadata.deletionTimestamp !== undefined) return sayDeleting(facts);
  if (resolved.kind === "unresolved") return say("False", resolved.reason, resolved.why);
  const missing = secrets.find(({ kind }) => kind === "missing");
  if (missing?.kind === "missing")
    return say("False", "SecretMissing", `${missing.why}; deliveries are signed with it`);
  const trial = applying?.of === fingerprint ? applying : undefined;
  if (trial?.kind === "refused") return say("False", "SubscriptionRefused", trial.why);
  const away = delivery.kind === "away" ? delivery.why : trial?.why;
  if (away !== undefined) return say("Unknown", "WebhooksAway", `webhooks does not answer: ${away}`);
  if (applied === undefined || applied.fingerprint !== fingerprint)
    return say("Unknown", "Declaring", "the webhooks service is being told of the subscription");
  const failing = sayFailing(facts, circuit);
  if (failing !== undefined) return failing;
  const isRotating = secrets.length > 1;
  return say("True", "Ready", isRotating ? "deliveries are signed with both secrets" : "news is delivered as it comes");
}

/** The last failure stands in the status, and changes too often for a condition. */
function sayFailing({ delivery, now }: SubscriptionFacts, circuit: Figures["circuit"]): SubscriptionSaid | undefined {
  if (delivery.kind === "away" || delivery.value === undefined) return undefined;
  if (circuit === "Open")
    return say(
      "False",
      "CircuitOpen",
      "the address fails again and again; it is left alone for a while, then tried again",
    );
  if (isFailing(delivery.value) && lags(delivery.value, now))
    return say(
      "False",
      "DeliveryFailing",
      "the address fails, and deliveries have been waiting for longer than a minute",
    );
  return undefined;
}

function sayDeleting({ subscription, removing }: SubscriptionFacts): SubscriptionSaid {
  if (removing === undefined) return say("False", "Deleting", "the resource is being deleted");
  const why = `webhooks did not take the removal: ${removing.why}`;
  if (removing.tries < mostTries) return say("Unknown", "WebhooksAway", why);
  const { name, namespace } = subscription.metadata;
  const way = `to delete the resource without it, take the finalizer ${subscriptionFinalizer} away: kubectl -n ${namespace ?? ""} edit wawh ${name}`;
  return say("False", "RemovalFailed", `${why}; ${way}`);
}
