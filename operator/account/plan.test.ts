// What an account's plan does and says, by table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { annotations } from "../names.ts";
import type { AccountFacts, AccountFactsTold, Told, Upstream, UpstreamFacts } from "./facts.ts";
import { planAccount } from "./plan.ts";

const now = new Date("2026-11-23T12:00:00Z");
const present = { kind: "present", hash: "a" } as const;
const missing = { kind: "missing", why: "secret shop/fjord has no key appSecret, or it is empty" } as const;
const scopes = ["whatsapp_business_messaging", "whatsapp_business_management"];
const token: UpstreamFacts["token"] = {
  isValid: true,
  problem: "",
  inspected: { appId: "67", expiresAt: undefined, scopes },
  isForeign: false,
};
const told: AccountFactsTold = {
  name: "Fjord Coffee",
  currency: "EUR",
  businessVerification: "verified",
  review: "APPROVED",
  canSend: "AVAILABLE",
  problems: [],
};
const noPayment = { code: 141_006, description: "no payment method", solution: "Add one." };
const refused: Told<never> = { kind: "refused", why: "WhatsApp refused it with code 100" };
const listed = [
  { phoneNumberId: "9002", maskedPhoneNumber: "+15*******02", verifiedName: "Care" },
  { phoneNumberId: "9001", maskedPhoneNumber: "+15*******01", verifiedName: "" },
];
const unasked: Upstream = { kind: "unasked", why: "NotConnected" };

function known(change: Partial<UpstreamFacts> = {}, address: string | undefined = "10.0.0.1:50051"): Upstream {
  const value: UpstreamFacts = {
    token,
    account: { kind: "told", value: told },
    apps: { kind: "told", value: [{ appId: "67", hasOwnCallback: false }] },
    numbers: { kind: "told", value: [] },
    ...change,
  };
  return { kind: "known", value, address };
}

function toldOf(change: Partial<AccountFactsTold>): Upstream {
  return known({ account: { kind: "told", value: { ...told, ...change } } });
}

function factsOf(change: Partial<AccountFacts> = {}): AccountFacts {
  return {
    account: {
      apiVersion: "heliograph.dev/v1alpha1",
      kind: "WhatsAppBusinessAccount",
      metadata: { name: "fjord", namespace: "shop", uid: "u1", resourceVersion: "1", generation: 3 },
      spec: { wabaId: "102", credentialsRef: { name: "fjord" } },
    },
    twin: undefined,
    credentials: { accessToken: present, appSecret: present, verifyToken: present },
    isDeclared: true,
    declaring: undefined,
    subscribing: undefined,
    upstream: known(),
    nextReadMs: 480_000,
    declaredIds: new Set(),
    nowMs: 1_000_000,
    now,
    ...change,
  };
}

const trial = { reason: "x", why: "it said no", of: "f", tries: 1, retryAtMs: 1_030_000 };
const days = (count: number): Date => new Date(now.getTime() + count * 86_400_000);
const inspected = (expiresAt: Date | undefined, given = scopes): Upstream =>
  known({ token: { ...token, inspected: { appId: "67", expiresAt, scopes: given } } });

/** Of the named conditions, `status reason`. */
const sayings: [sentence: string, facts: AccountFacts, expected: Record<string, string>][] = [
  [
    "an account that is well",
    factsOf(),
    {
      Ready: "True Ready",
      TokenValid: "True TokenAccepted",
      WebhookSubscribed: "True Subscribed",
      BusinessVerified: "True Verified",
      AccountReviewed: "True Approved",
      PaymentReady: "True NothingMissing",
      Reconciling: "False NothingToDo",
      Stalled: "False NothingToDo",
    },
  ],
  [
    "one whose wabaId an older one has",
    factsOf({ twin: "other/fjord" }),
    { Ready: "False AccountInUse", TokenValid: "Unknown AccountInUse", Stalled: "True AccountInUse" },
  ],
  [
    "one whose Secret lacks a key: WhatsApp's word stays",
    factsOf({ credentials: { accessToken: present, appSecret: missing, verifyToken: present } }),
    { Ready: "False SecretMissing", TokenValid: "True TokenAccepted", Stalled: "True SecretMissing" },
  ],
  [
    "one without a token",
    factsOf({ credentials: { accessToken: missing, appSecret: present, verifyToken: present } }),
    { Ready: "False SecretMissing", TokenValid: "False SecretMissing" },
  ],
  [
    "one of which messages is not told yet",
    factsOf({ isDeclared: false, upstream: unasked }),
    { Ready: "Unknown Declaring", Reconciling: "True Declaring" },
  ],
  [
    "one of which messages cannot be told",
    factsOf({ isDeclared: false, declaring: { ...trial, kind: "away" } }),
    { Ready: "Unknown MessagesAway", Reconciling: "True MessagesAway", Stalled: "False NothingToDo" },
  ],
  [
    "one that messages refuses",
    factsOf({ isDeclared: false, declaring: { ...trial, kind: "refused" } }),
    { Ready: "False AccountRefused", Stalled: "True AccountRefused" },
  ],
  [
    "one whose numbers are not connected",
    factsOf({ upstream: unasked, nextReadMs: undefined }),
    { Ready: "Unknown NotConnected", PaymentReady: "Unknown NotConnected", Reconciling: "True NotConnected" },
  ],
  [
    "one without numbers can be used",
    factsOf({ upstream: { kind: "unasked", why: "NoNumbers" } }),
    { Ready: "True Ready", TokenValid: "Unknown NoNumbers", Reconciling: "False NothingToDo" },
  ],
  [
    "WhatsApp away",
    factsOf({ upstream: { kind: "away", service: "WhatsApp", why: "timeout" } }),
    { Ready: "Unknown WhatsAppAway", TokenValid: "Unknown WhatsAppAway" },
  ],
  [
    "a token that is refused",
    factsOf({
      upstream: known({
        token: { ...token, isValid: false, problem: "expired", inspected: undefined },
        account: refused,
        apps: refused,
      }),
    }),
    {
      Ready: "False TokenRefused",
      TokenValid: "False TokenRefused",
      WebhookSubscribed: "Unknown NotTold",
      BusinessVerified: "Unknown NotTold",
      Stalled: "True TokenRefused",
    },
  ],
  [
    "a token that ends soon",
    factsOf({ upstream: inspected(days(6)) }),
    { Ready: "True Ready", TokenValid: "True TokenExpiring" },
  ],
  ["a token that ends later", factsOf({ upstream: inspected(days(8)) }), { TokenValid: "True TokenAccepted" }],
  [
    "a token that lacks a permission",
    factsOf({ upstream: inspected(undefined, scopes.slice(1)) }),
    { Ready: "False ScopesMissing", TokenValid: "False ScopesMissing" },
  ],
  [
    "a token that may not look into itself",
    factsOf({ upstream: known({ token: { ...token, inspected: undefined } }) }),
    { Ready: "True Ready", TokenValid: "True TokenAccepted", WebhookSubscribed: "Unknown AppUnknown" },
  ],
  [
    "only numbers with tokens of their own",
    factsOf({ upstream: known({ token: { ...token, isForeign: true } }) }),
    { Ready: "True Ready", TokenValid: "Unknown ForeignToken" },
  ],
  [
    "an app that is not subscribed",
    factsOf({ upstream: known({ apps: { kind: "told", value: [] } }) }),
    { Ready: "False NotSubscribed", WebhookSubscribed: "False NotSubscribed", Reconciling: "True NotSubscribed" },
  ],
  [
    "an app that WhatsApp does not subscribe",
    factsOf({
      upstream: known({ apps: { kind: "told", value: [{ appId: "68", hasOwnCallback: false }] } }),
      subscribing: { ...trial, kind: "refused" },
    }),
    { Ready: "False SubscriptionRefused", Stalled: "True SubscriptionRefused" },
  ],
  [
    "an account with a callback of its own",
    factsOf({ upstream: known({ apps: { kind: "told", value: [{ appId: "67", hasOwnCallback: true }] } }) }),
    { Ready: "True Ready", WebhookSubscribed: "True OwnCallback" },
  ],
  [
    "a business that is not verified may go on",
    factsOf({ upstream: toldOf({ businessVerification: "not_verified", review: "PENDING" }) }),
    { Ready: "True Ready", BusinessVerified: "False NotVerified", AccountReviewed: "False ReviewPending" },
  ],
  [
    "a rejected account",
    factsOf({ upstream: toldOf({ review: "REJECTED", businessVerification: "pending" }) }),
    { Ready: "False ReviewRejected", BusinessVerified: "False VerificationPending" },
  ],
  [
    "an account without a payment method",
    factsOf({ upstream: toldOf({ canSend: "BLOCKED", problems: [noPayment] }) }),
    { Ready: "False SendingBlocked", PaymentReady: "False PaymentMissing", Stalled: "True SendingBlocked" },
  ],
  [
    "WhatsApp tells nothing of the account",
    factsOf({ upstream: toldOf({ canSend: "", businessVerification: "", review: "" }) }),
    { PaymentReady: "Unknown NotTold", BusinessVerified: "Unknown NotTold", AccountReviewed: "Unknown NotTold" },
  ],
];
for (const [sentence, facts, expected] of sayings) {
  test(`conditions: ${sentence}`, () => {
    const { conditions = [] } = planAccount(facts).status;
    const said = Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((type) => [type, said[type]])), expected);
    assert.ok(conditions.every(({ observedGeneration }) => observedGeneration === 3));
  });
}

const unsubscribed = known({ apps: { kind: "told", value: [] } });
const acts: [sentence: string, facts: AccountFacts, expected: string[]][] = [
  ["nothing, where all is well", factsOf(), []],
  ["an account is declared, also without its Secret", factsOf({ isDeclared: false, upstream: unasked }), ["declare"]],
  ["not one that is in use", factsOf({ isDeclared: false, twin: "other/fjord" }), []],
  ["not again before its time", factsOf({ isDeclared: false, declaring: { ...trial, kind: "away" } }), []],
  [
    "again at its time",
    factsOf({ isDeclared: false, declaring: { ...trial, kind: "away" }, nowMs: 1_030_000 }),
    ["declare"],
  ],
  ["a missing app is subscribed", factsOf({ upstream: unsubscribed }), ["subscribe"]],
  ["not again before its time", factsOf({ upstream: unsubscribed, subscribing: { ...trial, kind: "refused" } }), []],
  [
    "not with the token of a number",
    factsOf({ upstream: known({ apps: { kind: "told", value: [] }, token: { ...token, isForeign: true } }) }),
    [],
  ],
  [
    "not while it is not told which app is the token's: it may have a callback of its own",
    factsOf({ upstream: known({ token: { ...token, inspected: undefined } }) }),
    [],
  ],
  ["not with WhatsApp's list unknown", factsOf({ upstream: known({ apps: refused }) }), []],
];
for (const [sentence, facts, expected] of acts) {
  test(`actions: ${sentence}`, () => {
    assert.deepEqual(
      planAccount(facts).actions.map(({ kind }) => kind),
      expected,
    );
  });
}

test("numbers that no resource declares are shown, sorted and masked", () => {
  const upstream = known({ numbers: { kind: "told", value: listed } });
  assert.deepEqual(planAccount(factsOf({ upstream })).status.undeclaredNumbers, [
    { phoneNumberId: "9001", maskedPhoneNumber: "+15*******01" },
    { phoneNumberId: "9002", maskedPhoneNumber: "+15*******02", verifiedName: "Care" },
  ]);
  const declared = planAccount(factsOf({ upstream, declaredIds: new Set(["9001", "9002"]) })).status;
  assert.equal(declared.undeclaredNumbers, undefined);
});

test("the same facts a day later change nothing in the status, and what was known stays while WhatsApp is away", () => {
  const upstream = known({ numbers: { kind: "told", value: listed } });
  const first = planAccount(factsOf({ upstream })).status;
  const { account } = factsOf();
  const later = factsOf({ upstream, account: { ...account, status: first }, now: days(1) });
  assert.deepEqual(planAccount(later).status, first);
  const away = planAccount({ ...later, upstream: unasked }).status;
  assert.deepEqual(
    [away.name, away.currency, away.undeclaredNumbers],
    ["Fjord Coffee", "EUR", first.undeclaredNumbers],
  );
});

test("a paused account is left alone", () => {
  const { account } = factsOf();
  const metadata = { ...account.metadata, annotations: { [annotations.paused]: "true" } };
  const plan = planAccount(factsOf({ account: { ...account, metadata }, isDeclared: false, upstream: unsubscribed }));
  assert.deepEqual(plan.actions, []);
  assert.deepEqual(
    plan.status.conditions?.map(({ type, status }) => `${type} ${status}`),
    ["Ready Unknown", "ReconciliationPaused True"],
  );
});
