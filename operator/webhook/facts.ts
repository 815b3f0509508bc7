// Everything that a decision about a webhook subscription may look at. Read by observe.ts, decided on by plan.ts.
import type { Subscription } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import type { Stored } from "../kinds.ts";
import type { SecretFacts } from "../secrets.ts";
import type { Trial } from "../trial.ts";

export type Answer<T> = { kind: "known"; value: T } | { kind: "away"; why: string };

/** What the webhooks service knows of it. */
export type DeliveryFacts = {
  /** In every field but the secrets' values, which nobody is told. */
  isAsDeclared: boolean;
  pausedUntil: Date | undefined;
  waiting: number;
  oldestWaitingAt: Date | undefined;
  lastSuccessAt: Date | undefined;
  lastFailureAt: Date | undefined;
  /** The HTTP status or the network's word. */
  lastFailure: string;
};

/** What the references lead to. */
export type Resolved =
  /** What the service is to know, without secrets. */
  | { kind: "resolved"; declared: Subscription }
  | {
      kind: "unresolved";
      reason: "NumberMissing" | "NumberInUse" | "AccountMissing" | "AccountInUse" | "NoAccounts";
      why: string;
    };

export type SubscriptionFacts = {
  subscription: Stored<WebhookSubscription>;
  /** Of secretRef and, where it is set, previousSecretRef. */
  secrets: readonly SecretFacts[];
  resolved: Resolved;
  /** Of what is declared and of the secrets; undefined: something for it is missing. */
  fingerprint: string | undefined;
  /** Of what the service took last from this process, and how long ago. */
  applied: { fingerprint: string; agoMs: number } | undefined;
  applying: Trial | undefined;
  removing: Trial | undefined;
  /** Known, and undefined where the service has no such subscription. */
  delivery: Answer<DeliveryFacts | undefined>;
  /** Since the figures of the status were last written. */
  figuresWrittenMs: number;
  /** Monotonic. */
  nowMs: number;
  now: Date;
};
