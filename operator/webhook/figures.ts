// The figures of a subscription's status. They change with each delivery, and a status is read by everybody: they are written when
// the circuit turns or deliveries begin or cease to wait, and else at most each ten minutes.
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import { cut, toSeconds } from "../conditions.ts";
import type { DeliveryFacts } from "./facts.ts";

type SubscriptionStatus = NonNullable<WebhookSubscription["status"]>;
export type Figures = Pick<
  SubscriptionStatus,
  "circuit" | "pending" | "oldestPendingTime" | "lastSuccessTime" | "lastFailureTime" | "lastFailure"
>;

const lagMs = 60_000;
const quietMs = 600_000;

/** `lookAgainMs`: when the figures may be written, if they differ. */
export function settle(
  fresh: Figures,
  before: Figures,
  writtenMs: number,
): { figures: Figures; lookAgainMs: number | undefined } {
  const isTurn =
    fresh.circuit !== before.circuit ||
    (fresh.oldestPendingTime === undefined) !== (before.oldestPendingTime === undefined);
  if (isTurn || writtenMs >= quietMs) return { figures: fresh, lookAgainMs: undefined };
  return { figures: before, lookAgainMs: isSame(fresh, before) ? undefined : quietMs - writtenMs };
}

/** An address that is tried between two pauses has not recovered by that: the circuit that was open stays so until it answers. */
export function toFigures(facts: DeliveryFacts, before: Figures, now: Date): Figures {
  const { pausedUntil, waiting, oldestWaitingAt, lastSuccessAt, lastFailureAt, lastFailure } = facts;
  const isOpen = pausedUntil !== undefined || (before.circuit === "Open" && isFailing(facts));
  return {
    circuit: isOpen ? "Open" : "Closed",
    pending: waiting,
    ...(lags(facts, now) && oldestWaitingAt !== undefined && { oldestPendingTime: toSeconds(oldestWaitingAt) }),
    ...(lastSuccessAt !== undefined && { lastSuccessTime: toSeconds(lastSuccessAt) }),
    ...(lastFailureAt !== undefined && { lastFailureTime: toSeconds(lastFailureAt) }),
    ...(lastFailure !== "" && { lastFailure: cut(lastFailure, 512) }),
  };
}

/** Deliveries wait, and the last that was heard of the address is a failure. */
export function isFailing({ waiting, lastSuccessAt, lastFailureAt }: DeliveryFacts): boolean {
  return waiting > 0 && lastFailureAt !== undefined && (lastSuccessAt === undefined || lastFailureAt >= lastSuccessAt);
}

/** Whether something has been waiting for longer than a minute. */
export function lags({ oldestWaitingAt }: DeliveryFacts, now: Date): boolean {
  return oldestWaitingAt !== undefined && now.getTime() - oldestWaitingAt.getTime() > lagMs;
}

/** How long until a delivery that waits is one that lags. */
export function untilLag({ oldestWaitingAt }: DeliveryFacts, now: Date): number | undefined {
  if (oldestWaitingAt === undefined) return undefined;
  const leftMs = oldestWaitingAt.getTime() + lagMs - now.getTime();
  return leftMs >= 0 ? leftMs + 1 : undefined;
}

export function figuresOf(status: SubscriptionStatus = {}): Figures {
  const { circuit, pending, oldestPendingTime, lastSuccessTime, lastFailureTime, lastFailure } = status;
  return {
    ...(circuit !== undefined && { circuit }),
    ...(pending !== undefined && { pending }),
    ...(oldestPendingTime !== undefined && { oldestPendingTime }),
    ...(lastSuccessTime !== undefined && { lastSuccessTime }),
    ...(lastFailureTime !== undefined && { lastFailureTime }),
    ...(lastFailure !== undefined && { lastFailure }),
  };
}

export function isSame(a: Figures, b: Figures): boolean {
  return (
    a.circuit === b.circuit &&
    a.pending === b.pending &&
    a.oldestPendingTime === b.oldestPendingTime &&
    a.lastSuccessTime === b.lastSuccessTime &&
    a.lastFailureTime === b.lastFailureTime &&
    a.lastFailure === b.lastFailure
  );
}
