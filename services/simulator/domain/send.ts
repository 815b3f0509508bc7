// Whether WhatsApp takes a message, and what becomes of it: the rules in the order in which Graph applies them.
import { type Bucket, pairRate, take, throughputRate } from "./bucket.ts";
import type { GraphError } from "./graph-error.ts";

export type SendFacts = {
  /** Digits. */
  recipient: string;
  displayPhoneNumber: string;
  /** CONNECTED, FLAGGED, RESTRICTED, BANNED, … */
  numberStatus: string;
  /** False: the number is not registered here, or registered elsewhere. */
  registered: boolean;
  /** Of a test number: digits. undefined: anyone may be written to. */
  allowedRecipients: readonly string[] | undefined;
  /** Undefined for a template that fits and for anything that is no template. */
  templateError: GraphError | undefined;
  isTemplate: boolean;
  windowOpen: boolean;
  notOnWhatsApp: boolean;
  /** Messages per second; false: without limit. */
  throughputLimit: number | false;
  throughput: Bucket | undefined;
  pairLimit: boolean;
  pair: Bucket | undefined;
};

export type SendVerdict =
  | { accepted: false; error: GraphError }
  | {
      accepted: true;
      throughput: Bucket | undefined;
      pair: Bucket | undefined;
      /** It will not arrive: the code of the failed status. */
      failsWith: number | undefined;
    };

const connected: readonly string[] = ["CONNECTED", "FLAGGED", "RESTRICTED"];

export function decideSend(facts: SendFacts, now: number): SendVerdict {
  const error = numberError(facts) ?? recipientError(facts) ?? facts.templateError;
  if (error !== undefined) return { accepted: false, error };
  const throughput =
    facts.throughputLimit === false
      ? facts.throughput
      : take(facts.throughput, throughputRate(facts.throughputLimit), now);
  if (throughput === undefined && facts.throughputLimit !== false) {
    return refuse(130429, "Cloud API message throughput has been reached");
  }
  const pair = facts.pairLimit ? take(facts.pair, pairRate, now) : facts.pair;
  if (pair === undefined && facts.pairLimit) {
    return refuse(
      131056,
      "Too many messages sent from this phone number to the same recipient in a short period of time",
    );
  }
  return { accepted: true, throughput, pair, failsWith: failureOf(facts) };
}

function refuse(code: number, details: string): SendVerdict {
  return { accepted: false, error: { code, details } };
}

function numberError({ registered, numberStatus }: SendFacts): GraphError | undefined {
  if (numberStatus === "BANNED") return { code: 131031, details: "The business account has been locked" };
  if (registered && connected.includes(numberStatus)) return undefined;
  return { code: 133010, details: "Phone number is not registered on the Cloud API" };
}

function recipientError({ recipient, displayPhoneNumber, allowedRecipients }: SendFacts): GraphError | undefined {
  if (recipient === displayPhoneNumber) return { code: 131021, details: "Recipient is the sending phone number" };
  if (allowedRecipients === undefined || allowedRecipients.includes(recipient)) return undefined;
  return { code: 131030, details: "Recipient is not in the list of this test number" };
}

function failureOf({ notOnWhatsApp, isTemplate, windowOpen, numberStatus }: SendFacts): number | undefined {
  if (notOnWhatsApp) return 131026;
  if (!isTemplate && !windowOpen) return 131047;
  return numberStatus === "RESTRICTED" && !windowOpen ? 131048 : undefined;
}
