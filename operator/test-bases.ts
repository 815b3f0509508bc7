// What hostile objects start from: a good object of each kind, with a place for every field; and Secrets as nobody should write them.
import { annotations } from "./names.ts";
import type { Hostile, Json } from "./test-hostile.ts";

const key = (name: string): Json => ({ name, key: "appSecret" });

const number: Json = {
  accountRef: { name: "acme" },
  credentialsRef: { name: "acme" },
  registration: { pinRef: key("acme") },
  disruption: {},
};
const account: Json = { credentialsRef: { name: "fjord-coffee" }, upstreamUrl: "https://example.com" };
const hook = { url: "https://example.com/hook", secretRef: key("fjord-coffee") };
const template = { accountRef: { name: "fjord-coffee" } };

export const bases: Record<string, Json[]> = {
  WhatsAppNumber: [number],
  WhatsAppBusinessAccount: [account],
  WebhookSubscription: [
    {
      ...hook,
      previousSecretRef: { name: "fjord-coffee", key: "verifyToken" },
      numberRefs: [{ name: "orders" }],
      events: ["Account"],
    },
    { ...hook, accountRefs: [{ name: "fjord-coffee" }] },
  ],
  ConnectionClass: [
    {
      image: "heliograph:1",
      imagePullSecrets: [{ name: "pull" }],
      resources: { requests: { cpu: "1", memory: "96Mi" }, limits: { memory: "192Mi" } },
      nodeSelector: { key: "a" },
      tolerations: [{ key: "a", operator: "Equal", value: "b", effect: "NoExecute", tolerationSeconds: 1 }],
      topologySpreadConstraints: [{ topologyKey: "a", whenUnsatisfiable: "DoNotSchedule", maxSkew: 1 }],
      podTemplate: { metadata: { labels: { key: "a" }, annotations: { key: "a" } }, spec: {} },
      surge: {},
      canary: { count: 1 },
      takeover: {},
    },
    { canary: { percent: 1 } },
  ],
  WhatsAppTemplate: [
    {
      ...template,
      language: "en_US",
      category: "Utility",
      messageTtlSeconds: 3_600,
      header: { type: "Text", text: "Hi {{1}}", variables: [{ name: "1", example: "Ana" }] },
      body: { text: "Hi {{1}}, here we are.", variables: [{ name: "1", example: "Ana" }] },
      footer: { text: "Bye" },
      buttons: [{ type: "Url", text: "See", url: "https://a.example/{{1}}", example: "https://a.example/b" }],
    },
    {
      ...template,
      language: "de",
      category: "Authentication",
      authentication: {
        codeExpirationMinutes: 5,
        codeButton: {
          type: "ZeroTap",
          text: "Copy",
          autofillText: "Fill in",
          supportedApps: [{ packageName: "com.example.shop", signatureHash: "K8a/AINcGX7" }],
          zeroTapTerms: "Accepted",
        },
      },
    },
    {
      ...template,
      language: "fr",
      category: "Marketing",
      header: { type: "Image", exampleHandle: "4::a" },
      body: { text: "Ici." },
      buttons: [{ type: "PhoneNumber", text: "Call", phoneNumber: "+15550100001" }],
    },
  ],
};

/** What tells objects of a kind apart, where the field itself is not the hostile one. */
export function identityOf(kind: string, index: number): Json {
  const digits = String(index).padStart(6, "0");
  switch (kind) {
    case "WhatsAppNumber":
      return { phoneNumberId: `98${digits}`, phoneNumber: `+888${digits}` };
    case "WhatsAppBusinessAccount":
      return { wabaId: `97${digits}` };
    case "WhatsAppTemplate":
      return { name: `hostile_${index}` };
    default:
      return {};
  }
}

const bytes = Buffer.from(Array.from({ length: 300 }, (_, at) => at % 256)).toString("base64");
const every = (value: string): Record<string, string> => ({ accessToken: value, appSecret: value, verifyToken: value });

/** Names and data, in base64. */
export const oddSecrets: Record<string, Record<string, string>> = {
  none: {},
  "wrong-keys": { token: "eA==", AppSecret: "eA==", "2026": "eA==" },
  blank: every(Buffer.from(" \r\n\t ").toString("base64")),
  binary: every(bytes),
  huge: every(Buffer.alloc(200_000, "x").toString("base64")),
};

const odd = ["", "TRUE", "true ", "\u0000", "x".repeat(70_000), "\uD800"];

/** Good objects with odd annotations, and such that refer to odd Secrets. Only the default class is left alone. */
export function oddlyAnnotated(): Hostile[] {
  const names = [annotations.paused, annotations.fence, annotations.reconcileAt, annotations.isDefaultClass];
  const annotated = Object.entries(bases).flatMap(([kind, [spec = {}]]) =>
    names.flatMap((name) =>
      [...odd, ...(name === annotations.isDefaultClass ? [] : ["true"])].map((value) => ({
        kind,
        spec,
        what: `${kind} with ${name}=${value.slice(0, 20)}`,
        annotations: { [name]: value },
      })),
    ),
  );
  const referring = Object.keys(oddSecrets).flatMap((name) => [
    {
      kind: "WhatsAppNumber",
      what: `a number with the Secret ${name}`,
      spec: { ...number, credentialsRef: { name }, registration: { pinRef: key(name) } },
    },
    {
      kind: "WhatsAppBusinessAccount",
      what: `an account with the Secret ${name}`,
      spec: { credentialsRef: { name } },
    },
    {
      kind: "WebhookSubscription",
      what: `a subscription with the Secret ${name}`,
      spec: { url: hook.url, secretRef: key(name) },
    },
  ]);
  return [...annotated, ...referring];
}

/** For each class a number whose pod is made by it: a class alone is nothing. */
export function numbersOf(classes: readonly { name: string; what: string }[]): Hostile[] {
  return classes.map(({ name, what }) => ({
    kind: "WhatsAppNumber",
    what: `a number of ${what}`,
    spec: { ...number, connectionClassName: name },
  }));
}
