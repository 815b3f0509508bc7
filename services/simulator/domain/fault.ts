// What goes wrong on purpose. API faults meet a Graph request, webhook faults meet a piece of news on its way to the business.

export type FaultMatch = {
  phoneNumberId?: string | undefined;
  /** The user's phone number: digits. */
  to?: string | undefined;
  /** Part of the request's path, such as /messages. API faults only. */
  path?: string | undefined;
};

type Rule = {
  id: string;
  match: FaultMatch;
  /** 0 to 1. */
  probability: number;
  /** How often it may still fire; undefined: without end. */
  times: number | undefined;
};

export type ApiFault = Rule & {
  /** Whether WhatsApp takes the message although the answer goes wrong. */
  accepted: boolean;
} & (
    | { kind: "status"; status: number; code: number }
    | { kind: "cut_before" | "cut_after" | "hang" | "garbage" | "reset_mid_answer" }
    | { kind: "slow"; ms: number }
  );

export type WebhookFault = Rule &
  (
    | { kind: "webhook_delay" | "webhook_shuffle"; ms: number }
    | { kind: "webhook_double" | "webhook_drop_then_retry" }
    | { kind: "storm"; copies: number }
  );

export type Fault = ApiFault | WebhookFault;

/** What a rule is matched with. */
export type FaultTarget = { phoneNumberId: string; to: string; path: string };

/** Whether a rule meets this target now. `chance` draws from 0 to 1, and only for a rule that matches. */
export function fires({ match, probability, times }: Fault, target: FaultTarget, chance: () => number): boolean {
  return times !== 0 && matches(match, target) && (probability >= 1 || chance() < probability);
}

function matches({ phoneNumberId, to, path }: FaultMatch, target: FaultTarget): boolean {
  return (
    (phoneNumberId === undefined || phoneNumberId === target.phoneNumberId) &&
    (to === undefined || to === target.to) &&
    (path === undefined || target.path.includes(path))
  );
}

/** How one piece of news goes out: after `delayMs`, `copies` times. */
export type NewsDelivery = {
  delayMs: number;
  copies: number;
  /** Each copy in a POST of its own. */
  alone: boolean;
  /** The first attempt counts as failed without being made. */
  dropFirst: boolean;
};

/** What all the faults that met a piece of news make of its delivery. */
export function deliveryOf(faults: readonly WebhookFault[], chance: () => number): NewsDelivery {
  const delivery: NewsDelivery = { delayMs: 0, copies: 1, alone: false, dropFirst: false };
  for (const fault of faults) {
    switch (fault.kind) {
      case "webhook_delay":
        delivery.delayMs += fault.ms;
        break;
      case "webhook_shuffle":
        delivery.delayMs += Math.floor(chance() * fault.ms);
        break;
      case "webhook_double":
        delivery.copies += 1;
        delivery.alone = true;
        break;
      case "webhook_drop_then_retry":
        delivery.alone = true;
        delivery.dropFirst = true;
        break;
      case "storm":
        delivery.copies += fault.copies - 1;
        delivery.alone = true;
        break;
    }
  }
  return delivery;
}

export function isWebhookFault(fault: Fault): fault is WebhookFault {
  return fault.kind === "storm" || fault.kind.startsWith("webhook_");
}
