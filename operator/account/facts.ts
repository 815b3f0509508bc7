// Everything that a decision about a business account may look at. Read by observe.ts, decided on by plan.ts.
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { Stored } from "../kinds.ts";
import type { Key } from "../runtime/objects.ts";
import type { SecretFacts } from "../secrets.ts";
import type { Trial } from "../trial.ts";

/** Keys of the account's Secret. */
export const credentialKeys = ["accessToken", "appSecret", "verifyToken"] as const;
export type CredentialKey = (typeof credentialKeys)[number];

/** An answer of WhatsApp, which may be that it does not tell. */
export type Told<T> = { kind: "told"; value: T } | { kind: "refused"; why: string };

export type TokenFacts = {
  isValid: boolean;
  /** For people; empty while it is valid. */
  problem: string;
  /** Undefined: WhatsApp does not let the token look into itself. */
  inspected: { appId: string; expiresAt: Date | undefined; scopes: readonly string[] } | undefined;
  /** It is that of a number with credentials of its own, and says nothing of the account's. */
  isForeign: boolean;
};

/** In WhatsApp's words; empty where it does not tell. */
export type AccountFactsTold = {
  name: string;
  currency: string;
  businessVerification: string;
  review: string;
  canSend: string;
  problems: readonly { code: number; description: string; solution: string }[];
};

export type SubscribedApp = { appId: string; hasOwnCallback: boolean };

export type ListedNumber = { phoneNumberId: string; maskedPhoneNumber: string; verifiedName: string };

/** What WhatsApp says of the account, all of one moment. */
export type UpstreamFacts = {
  token: TokenFacts;
  account: Told<AccountFactsTold>;
  apps: Told<readonly SubscribedApp[]>;
  numbers: Told<readonly ListedNumber[]>;
};

export type Upstream =
  /** `address` is of the process that was asked; undefined: it may be gone. */
  | { kind: "known"; value: UpstreamFacts; address: string | undefined }
  /** Nobody can ask: the account has no number that is to be connected, or none is at the moment. */
  | { kind: "unasked"; why: "NoNumbers" | "NotConnected" }
  | { kind: "away"; service: "messages" | "WhatsApp"; why: string };

export type AccountFacts = {
  account: Stored<WhatsAppBusinessAccount>;
  /** The older resource with the same wabaId. */
  twin: Key | undefined;
  credentials: Record<CredentialKey, SecretFacts>;
  /** Whether messages was told of the account as it is declared. */
  isDeclared: boolean;
  declaring: Trial | undefined;
  subscribing: Trial | undefined;
  upstream: Upstream;
  /** When WhatsApp is to be asked again; undefined: when a number connects. */
  nextReadMs: number | undefined;
  /** Ids of numbers that resources of the namespace declare, of those that WhatsApp lists. */
  declaredIds: ReadonlySet<string>;
  /** Monotonic. */
  nowMs: number;
  now: Date;
};
