// What is to be done for a business account, and what its status says. Pure and total: every state has a plan.
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import { type Condition, cut, pausedConditions, type Said, sayForTools, toConditions } from "../conditions.ts";
import { annotations } from "../names.ts";
import { waitMs } from "../trial.ts";
import {
  findInTheWay,
  findOwnApp,
  type Reason,
  sayAccountReviewed,
  sayBusinessVerified,
  sayPaymentReady,
  sayReady,
  sayTokenValid,
  sayWebhookSubscribed,
} from "./conditions.ts";
import type { AccountFacts } from "./facts.ts";

export type AccountStatus = NonNullable<WhatsAppBusinessAccount["status"]>;

export type AccountAction =
  /** Tells messages of the account. */
  | { kind: "declare" }
  /** Has WhatsApp send the account's webhooks to the token's app. */
  | { kind: "subscribe"; address: string };

export type AccountPlan = { actions: readonly AccountAction[]; status: AccountStatus; lookAgainMs: number | undefined };

/** A person must act. */
const stalling: ReadonlySet<Reason> = new Set<Reason>([
  "AccountInUse",
  "SecretMissing",
  "AccountRefused",
  "TokenRefused",
  "ScopesMissing",
  "SubscriptionRefused",
  "ReviewRejected",
  "SendingBlocked",
]);

const longestList = 200;

export function planAccount(facts: AccountFacts): AccountPlan {
  if (isPaused(facts)) return { actions: [], status: pausedStatus(facts), lookAgainMs: undefined };
  const waits = [facts.nextReadMs, ...trialWaits(facts)].filter((ms) => ms !== undefined);
  return {
    actions: [...declare(facts), ...subscribe(facts)],
    status: statusOf(facts),
    lookAgainMs: waits.length === 0 ? undefined : Math.max(1_000, Math.min(...waits)),
  };
}

export function isPaused({ account }: Pick<AccountFacts, "account">): boolean {
  return account.metadata.annotations?.[annotations.paused] === "true";
}

/** A Secret that is missing keeps nobody from knowing the account. */
function declare({ twin, isDeclared, declaring, nowMs }: AccountFacts): AccountAction[] {
  const mayTry = declaring === undefined || declaring.retryAtMs <= nowMs;
  return twin === undefined && !isDeclared && mayTry ? [{ kind: "declare" }] : [];
}

function subscribe(facts: AccountFacts): AccountAction[] {
  const { upstream, subscribing, nowMs } = facts;
  if (findInTheWay(facts) !== undefined || upstream.kind !== "known" || upstream.address === undefined) return [];
  const { token, apps } = upstream.value;
  if (!token.isValid || token.isForeign || apps.kind === "refused") return [];
  if (findOwnApp(token, apps.value) !== undefined || waitMs(subscribing, subscribing?.of ?? "", nowMs) > 0) return [];
  return [{ kind: "subscribe", address: upstream.address }];
}

function trialWaits({ declaring, subscribing, nowMs }: AccountFacts): number[] {
  const waits = [declaring, subscribing].map((trial) => waitMs(trial, trial?.of ?? "", nowMs));
  // What may be tried now is tried now, if it is to be tried at all.
  return waits.filter((ms) => ms > 0);
}

function statusOf(facts: AccountFacts): AccountStatus {
  const { account, now } = facts;
  return {
    ...(account.metadata.generation !== undefined && { observedGeneration: account.metadata.generation }),
    ...toldOf(facts),
    ...undeclaredOf(facts),
    conditions: conditionsOf(facts, account, now),
  };
}

function conditionsOf(facts: AccountFacts, account: AccountFacts["account"], now: Date): Condition[] {
  const token = sayTokenValid(facts);
  const webhook = sayWebhookSubscribed(facts);
  const review = sayAccountReviewed(facts);
  const ready = sayReady(facts, { token, webhook, review });
  const spoken: Record<string, Said> = {
    Ready: ready,
    TokenValid: token,
    WebhookSubscribed: webhook,
    BusinessVerified: sayBusinessVerified(facts),
    AccountReviewed: review,
    PaymentReady: sayPaymentReady(facts),
    ...sayForTools(ready, stateOf(ready)),
  };
  return toConditions(spoken, account, now);
}

function stateOf({ status, reason }: Said<Reason>): "settled" | "working" | "stalled" {
  if (stalling.has(reason)) return "stalled";
  return status === "True" ? "settled" : "working";
}

/** What was known stays while nobody can be asked. */
function toldOf({ account, upstream, twin }: AccountFacts): Pick<AccountStatus, "name" | "currency"> {
  if (twin !== undefined) return {};
  const { name, currency } = account.status ?? {};
  const known = { ...(name !== undefined && { name }), ...(currency !== undefined && { currency }) };
  if (upstream.kind !== "known" || upstream.value.account.kind === "refused") return known;
  const told = upstream.value.account.value;
  return {
    ...known,
    ...(told.name !== "" && { name: cut(told.name, 512) }),
    ...(told.currency !== "" && { currency: cut(told.currency, 8) }),
  };
}

function undeclaredOf({
  account,
  upstream,
  twin,
  declaredIds,
}: AccountFacts): Pick<AccountStatus, "undeclaredNumbers"> {
  if (twin !== undefined) return {};
  const before = (account.status?.undeclaredNumbers ?? []).filter(
    ({ phoneNumberId }) => !declaredIds.has(phoneNumberId),
  );
  if (upstream.kind !== "known" || upstream.value.numbers.kind === "refused")
    return before.length > 0 ? { undeclaredNumbers: before } : {};
  const undeclaredNumbers = upstream.value.numbers.value
    .filter(({ phoneNumberId }) => !declaredIds.has(phoneNumberId))
    .toSorted((a, b) => (a.phoneNumberId < b.phoneNumberId ? -1 : 1))
    .slice(0, longestList)
    .map(({ phoneNumberId, maskedPhoneNumber, verifiedName }) => ({
      phoneNumberId,
      maskedPhoneNumber,
      ...(verifiedName !== "" && { verifiedName: cut(verifiedName, 512) }),
    }));
  return undeclaredNumbers.length > 0 ? { undeclaredNumbers } : {};
}

function pausedStatus({ account, now }: AccountFacts): AccountStatus {
  return { ...account.status, conditions: pausedConditions(account, now) };
}
