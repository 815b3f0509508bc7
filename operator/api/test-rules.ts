// For each CEL rule of our CRDs what it lets pass and what it refuses, as changes to a valid object. Rules are named by what they
// say: `field: message`.
import { templateCases } from "./test-template-rules.ts";

/** Merged into an object: null takes a field out, arrays are replaced. */
export type Change = { [field: string]: unknown };

/** What one rule lets pass and what it refuses; a transition starts from the valid object itself. */
export type RuleCase = { rule: string; good: Change; bad: Change };

export type KindCases = {
  kind: string;
  plural: string;
  isClusterWide?: boolean;
  /** The smallest object that is valid; its ids are nobody else's, since operators of other tests may see it. */
  valid: Change;
  rules: readonly RuleCase[];
};

const spec = (change: Change): Change => ({ spec: change });
const key = { name: "s", key: "k" };
const taint = { key: "dedicated", operator: "Equal", value: "whatsapp", effect: "NoExecute" };

const numbers: KindCases = {
  kind: "WhatsAppNumber",
  plural: "whatsappnumbers",
  valid: {
    metadata: { name: "orders" },
    spec: { accountRef: { name: "acme" }, phoneNumberId: "990000000000001", phoneNumber: "+99900000001" },
  },
  rules: [
    {
      rule: "metadata.name: the name may have 50 characters at most, since its pods are named after it",
      good: { metadata: { name: "n".repeat(50) } },
      bad: { metadata: { name: "n".repeat(51) } },
    },
    {
      rule: "spec.unknownTimeoutSeconds: with unknownPolicy Resend it must be below messageTtlSeconds, else nothing is left to send again",
      good: spec({ unknownPolicy: "Resend", unknownTimeoutSeconds: 599, messageTtlSeconds: 600 }),
      bad: spec({ unknownPolicy: "Resend", unknownTimeoutSeconds: 600, messageTtlSeconds: 600 }),
    },
    {
      rule: "spec.accountRef.name: the account of a number cannot be changed, create another WhatsAppNumber",
      good: spec({ accountRef: { name: "acme" }, displayName: "Orders" }),
      bad: spec({ accountRef: { name: "other" } }),
    },
    {
      rule: "spec.phoneNumberId: must be an id of decimal digits",
      good: spec({ phoneNumberId: "0" }),
      bad: spec({ phoneNumberId: "10654 0352242922" }),
    },
    {
      rule: "spec.phoneNumber: must be a phone number in E.164 form, such as +15550100001",
      good: spec({ phoneNumber: "+4930123" }),
      bad: spec({ phoneNumber: "15550100001" }),
    },
    {
      rule: "spec.phoneNumberId: phoneNumberId cannot be changed, create another WhatsAppNumber",
      good: spec({ phoneNumberId: "990000000000001", displayName: "Orders" }),
      bad: spec({ phoneNumberId: "990000000000002" }),
    },
    {
      rule: "spec.phoneNumber: phoneNumber cannot be changed, create another WhatsAppNumber",
      good: spec({ phoneNumber: "+99900000001", displayName: "Orders" }),
      bad: spec({ phoneNumber: "+99900000002" }),
    },
  ],
};

const accounts: KindCases = {
  kind: "WhatsAppBusinessAccount",
  plural: "whatsappbusinessaccounts",
  valid: { metadata: { name: "acme" }, spec: { wabaId: "990000000000011", credentialsRef: { name: "acme" } } },
  rules: [
    {
      rule: "spec.wabaId: must be an id of decimal digits",
      good: spec({ wabaId: "1" }),
      bad: spec({ wabaId: "acme" }),
    },
    {
      rule: "spec.upstreamUrl: must be an http or https URL, without user name, password, query and fragment",
      good: spec({ upstreamUrl: "http://127.0.0.1:8401/graph" }),
      bad: spec({ upstreamUrl: "https://graph.facebook.com/?v=1" }),
    },
    {
      rule: "spec.wabaId: wabaId cannot be changed, create another WhatsAppBusinessAccount",
      good: spec({ wabaId: "990000000000011", credentialsRef: { name: "other" } }),
      bad: spec({ wabaId: "990000000000012" }),
    },
  ],
};

const subscriptions: KindCases = {
  kind: "WebhookSubscription",
  plural: "webhooksubscriptions",
  valid: { metadata: { name: "shop" }, spec: { url: "https://example.com/hook", secretRef: key } },
  rules: [
    {
      rule: "spec.url: must be an http or https URL, without user name, password and fragment",
      good: spec({ url: "http://[::1]:8080/a?b=c%20d" }),
      bad: spec({ url: "https://example.com/%zz" }),
    },
    {
      rule: "spec.numberRefs: give numberRefs or accountRefs, not both",
      good: spec({ numberRefs: [{ name: "orders" }] }),
      bad: spec({ numberRefs: [{ name: "orders" }], accountRefs: [{ name: "acme" }] }),
    },
    {
      rule: "spec.previousSecretRef: must be another than secretRef",
      good: spec({ previousSecretRef: { name: "s", key: "k2" } }),
      bad: spec({ previousSecretRef: key }),
    },
  ],
};

const classes: KindCases = {
  kind: "ConnectionClass",
  plural: "connectionclasses",
  isClusterWide: true,
  valid: { metadata: { name: "large" }, spec: {} },
  rules: [
    {
      rule: "spec.drainSeconds: must be above takeover.standbyTimeoutSeconds, else a drain ends before a single move can",
      good: spec({ drainSeconds: 301, takeover: { standbyTimeoutSeconds: 300 } }),
      bad: spec({ drainSeconds: 300, takeover: { standbyTimeoutSeconds: 300 } }),
    },
    {
      rule: "spec.resources.limits.memory: must not be below requests.memory",
      good: spec({ resources: { requests: { memory: "1Gi" }, limits: { memory: "1024Mi" } } }),
      bad: spec({ resources: { requests: { memory: "1Gi" }, limits: { memory: "1023Mi" } } }),
    },
    {
      rule: "spec.surge.max: must not be below min",
      good: spec({ surge: { min: 5, max: 5 } }),
      bad: spec({ surge: { min: 51 } }),
    },
    {
      rule: "spec.canary: needs exactly one of count and percent",
      good: spec({ canary: { percent: 5 } }),
      bad: spec({ canary: { percent: 5, count: 1 } }),
    },
    {
      rule: "spec.tolerations[].value: is not allowed with operator Exists",
      good: spec({ tolerations: [taint] }),
      bad: spec({ tolerations: [{ ...taint, operator: "Exists" }] }),
    },
    {
      rule: "spec.tolerations[].key: may be left out with operator Exists only",
      good: spec({ tolerations: [{ operator: "Exists" }] }),
      bad: spec({ tolerations: [{ value: "whatsapp" }] }),
    },
    {
      rule: "spec.tolerations[].tolerationSeconds: is allowed with effect NoExecute only",
      good: spec({ tolerations: [{ ...taint, tolerationSeconds: 60 }] }),
      bad: spec({ tolerations: [{ ...taint, effect: "NoSchedule", tolerationSeconds: 60 }] }),
    },
  ],
};

export const kindCases: readonly KindCases[] = [numbers, accounts, subscriptions, classes, templateCases];

/** `base` with the change in it. */
export function changed(base: Change, change: Change): Change {
  const merged = Object.entries(change).map(([field, value]) => {
    const before = base[field];
    return [field, isChange(before) && isChange(value) ? changed(before, value) : value] as const;
  });
  return Object.fromEntries(Object.entries({ ...base, ...Object.fromEntries(merged) }).filter(([, v]) => v !== null));
}

function isChange(value: unknown): value is Change {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
