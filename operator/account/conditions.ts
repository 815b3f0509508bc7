// What the conditions of an account say. Every reason that can appear stands here.
import type { Said } from "../conditions.ts";
import type { Key } from "../runtime/objects.ts";
import type { AccountFacts, AccountFactsTold, Told, Upstream, UpstreamFacts } from "./facts.ts";
import { credentialKeys } from "./facts.ts";

export type Reason =
  | "Ready"
  | "AccountInUse"
  | "SecretMissing"
  | "MessagesAway"
  | "AccountRefused"
  | "Declaring"
  | "NoNumbers"
  | "NotConnected"
  | "WhatsAppAway"
  | "TokenAccepted"
  | "TokenExpiring"
  | "TokenRefused"
  | "ScopesMissing"
  | "ForeignToken"
  | "Subscribed"
  | "OwnCallback"
  | "NotSubscribed"
  | "SubscriptionRefused"
  | "AppUnknown"
  | "NotTold"
  | "Verified"
  | "NotVerified"
  | "VerificationPending"
  | "Approved"
  | "ReviewPending"
  | "ReviewRejected"
  | "NothingMissing"
  | "PaymentMissing"
  | "SendingBlocked";

type AccountSaid = Said<Reason>;

function say(status: AccountSaid["status"], reason: Reason, message = ""): AccountSaid {
  return { status, reason, message };
}

/** What keeps the operator from working on the account at all. */
export function findInTheWay({
  account,
  twin,
  credentials,
  isDeclared,
  declaring,
}: AccountFacts): AccountSaid | undefined {
  if (twin !== undefined) return sayTwin(twin);
  const missing = credentialKeys.map((key) => credentials[key]).find(({ kind }) => kind === "missing");
  if (missing?.kind === "missing") {
    const keys = credentialKeys.join(", ");
    return say(
      "False",
      "SecretMissing",
      `${missing.why}; the Secret ${account.spec.credentialsRef.name} must hold ${keys}`,
    );
  }
  if (isDeclared) return undefined;
  if (declaring?.kind === "refused") return say("False", "AccountRefused", declaring.why);
  if (declaring?.kind === "away") return say("Unknown", "MessagesAway", `messages does not answer: ${declaring.why}`);
  return say("Unknown", "Declaring", "the services are being told of the account");
}

function sayTwin(twin: Key): AccountSaid {
  return say(
    "False",
    "AccountInUse",
    `WhatsAppBusinessAccount ${twin} is older and has the same wabaId; delete one of the two`,
  );
}

/** Why WhatsApp's word is missing. */
function sayUnasked(upstream: Exclude<Upstream, { kind: "known" }>): AccountSaid {
  if (upstream.kind === "away") {
    const reason = upstream.service === "messages" ? "MessagesAway" : "WhatsAppAway";
    return say("Unknown", reason, `${upstream.service} does not answer: ${upstream.why}`);
  }
  return upstream.why === "NoNumbers"
    ? say(
        "Unknown",
        "NoNumbers",
        "WhatsApp is asked through a connected number, and no WhatsAppNumber of the account is to be connected",
      )
    : say(
        "Unknown",
        "NotConnected",
        "WhatsApp is asked through a connected number, and none of the account's is connected now",
      );
}

/** WhatsApp's word, or why there is none. */
function fromUpstream(facts: AccountFacts, decide: (value: UpstreamFacts) => AccountSaid): AccountSaid {
  if (facts.twin !== undefined) return { ...sayTwin(facts.twin), status: "Unknown" };
  return facts.upstream.kind === "known" ? decide(facts.upstream.value) : sayUnasked(facts.upstream);
}

const scopes = ["whatsapp_business_messaging", "whatsapp_business_management"];
const expiringMs = 7 * 86_400_000;

export function sayTokenValid(facts: AccountFacts): AccountSaid {
  const { accessToken } = facts.credentials;
  if (facts.twin === undefined && accessToken.kind === "missing") return say("False", "SecretMissing", accessToken.why);
  return fromUpstream(facts, ({ token }) => {
    if (token.isForeign)
      return say("Unknown", "ForeignToken", "every connected number of the account has a token of its own");
    if (!token.isValid) return say("False", "TokenRefused", `${token.problem}; put a valid token into the Secret`);
    if (token.inspected === undefined)
      return say("True", "TokenAccepted", "WhatsApp takes it, and does not tell until when");
    const { expiresAt, scopes: given } = token.inspected;
    const lacking = scopes.filter((scope) => !given.includes(scope));
    if (lacking.length > 0) return say("False", "ScopesMissing", `the token lacks ${lacking.join(" and ")}`);
    if (expiresAt === undefined) return say("True", "TokenAccepted", "it does not expire");
    const until = expiresAt.toISOString();
    return expiresAt.getTime() - facts.now.getTime() < expiringMs
      ? say("True", "TokenExpiring", `it expires at ${until}; put a new one into the Secret before`)
      : say("True", "TokenAccepted", `it expires at ${until}`);
  });
}

export function sayWebhookSubscribed(facts: AccountFacts): AccountSaid {
  return fromUpstream(facts, ({ token, apps }) => {
    if (apps.kind === "refused") return say("Unknown", "NotTold", apps.why);
    const own = findOwnApp(token, apps.value);
    if (own === "unknown")
      return say("Unknown", "AppUnknown", "an app is subscribed, and WhatsApp does not tell whether it is the token's");
    if (own?.hasOwnCallback === true)
      return say("True", "OwnCallback", "the account has a callback URL of its own; it must be that of the gateway");
    if (own !== undefined) return say("True", "Subscribed");
    const { subscribing } = facts;
    return subscribing?.kind === "refused"
      ? say("False", "SubscriptionRefused", subscribing.why)
      : say("False", "NotSubscribed", subscribing?.why ?? "the app is being subscribed to the account's webhooks");
  });
}

/** Undefined: it is not subscribed. */
export function findOwnApp(
  { inspected }: UpstreamFacts["token"],
  apps: readonly { appId: string; hasOwnCallback: boolean }[],
): { hasOwnCallback: boolean } | "unknown" | undefined {
  if (inspected === undefined || inspected.appId === "") return apps.length === 0 ? undefined : "unknown";
  return apps.find(({ appId }) => appId === inspected.appId);
}

function fromAccount(facts: AccountFacts, decide: (told: AccountFactsTold) => AccountSaid): AccountSaid {
  return fromUpstream(facts, ({ account }: { account: Told<AccountFactsTold> }) =>
    account.kind === "refused" ? say("Unknown", "NotTold", account.why) : decide(account.value),
  );
}

const notTold = "WhatsApp does not tell";

export function sayBusinessVerified(facts: AccountFacts): AccountSaid {
  return fromAccount(facts, ({ businessVerification: word }) => {
    if (word === "") return say("Unknown", "NotTold", notTold);
    if (word === "verified") return say("True", "Verified");
    const message = `WhatsApp says ${word}; verify the business in Meta's Business Manager`;
    return say("False", word.startsWith("pending") ? "VerificationPending" : "NotVerified", message);
  });
}

export function sayAccountReviewed(facts: AccountFacts): AccountSaid {
  return fromAccount(facts, ({ review: word }) => {
    if (word === "") return say("Unknown", "NotTold", notTold);
    if (word === "APPROVED") return say("True", "Approved");
    const message = `WhatsApp's review of the account says ${word}`;
    return say("False", word === "REJECTED" ? "ReviewRejected" : "ReviewPending", message);
  });
}

/** Meta's code for: no valid payment method. */
const paymentMissing = 141_006;

export function sayPaymentReady(facts: AccountFacts): AccountSaid {
  return fromAccount(facts, ({ canSend, problems }) => {
    const problem = problems.find(({ code }) => code === paymentMissing);
    if (problem !== undefined) return say("False", "PaymentMissing", describe(problem));
    return canSend === "" ? say("Unknown", "NotTold", notTold) : say("True", "NothingMissing");
  });
}

export function sayReady(facts: AccountFacts, said: Record<"token" | "webhook" | "review", AccountSaid>): AccountSaid {
  const inTheWay = findInTheWay(facts);
  if (inTheWay !== undefined) return inTheWay;
  const { upstream } = facts;
  if (upstream.kind === "unasked" && upstream.why === "NoNumbers")
    return say("True", "Ready", "declared; WhatsApp is asked about it once one of its numbers is connected");
  if (upstream.kind !== "known") return sayUnasked(upstream);
  const refused = [said.token, said.webhook].find(({ status }) => status === "False");
  if (refused !== undefined) return refused;
  if (said.review.reason === "ReviewRejected") return said.review;
  const { account } = upstream.value;
  if (account.kind === "told" && account.value.canSend === "BLOCKED")
    return say(
      "False",
      "SendingBlocked",
      account.value.problems.map(describe).join(" ") || "WhatsApp lets the account send nothing",
    );
  return say("True", "Ready", "its numbers can be used");
}

function describe({ code, description, solution }: AccountFactsTold["problems"][number]): string {
  return `${description} (${code}). ${solution}`.trim();
}
