// Everything that a decision about a template may look at. Read by observe.ts, decided on by plan.ts; no client, no clock in here.
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import type { Stored } from "../kinds.ts";
import type { Answer } from "../number/facts.ts";
import type { Key } from "../runtime/objects.ts";
import type { Reason } from "./reasons.ts";

/** JSON texts; empty: absent. */
export type Difference = { field: string; declared: string; observed: string };

/** As WhatsApp has it, in WhatsApp's words. */
export type ObservedTemplate = {
  templateId: string;
  status: string;
  category: string;
  quality: string;
  rejectedReason: string;
  /** From what the resource declares. */
  differences: readonly Difference[];
  /** Whether its text may be edited now; if not, why, and when if time alone helps. */
  isEditable: boolean;
  notEditableBecause: string;
  editableAt: Date | undefined;
};

/** What was refused when it was last tried; held in memory, since what follows from it stands in the conditions. */
export type Refusals = {
  /** Of the content with this hash; not tried again before then. */
  submission?: { hash: string; reason: Reason; message: string; retryAt: Date } | undefined;
  deletion?: { tries: number; message: string; retryAt: Date } | undefined;
};

export type TemplateFacts = {
  template: Stored<WhatsAppTemplate>;
  account: WhatsAppBusinessAccount | undefined;
  /** Of the account; where one is being deleted and its account is gone, as it was. */
  wabaId: string | undefined;
  /** The older resource that declares the same account: whoever writes down another's id does not get at their templates. */
  accountTwin: Key | undefined;
  /** The older resource that declares the same template. */
  twin: string | undefined;
  /** Another resource declares the same template. */
  isShared: boolean;
  /** Fingerprint of what is declared. */
  hash: string;
  /** The content that was last handed in, and when. */
  submitted: { hash: string; at: Date } | undefined;
  /** Undefined as value: WhatsApp has none, as far as the service knows. */
  observed: Answer<ObservedTemplate | undefined>;
  /** The service did not answer, but did a moment ago. */
  isBlip: boolean;
  refusals: Refusals;
  now: Date;
};
