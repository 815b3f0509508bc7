// Turns resources into the gRPC requests that make them known to the services. Pure: the operator and the local runner send the
// same requests for the same YAML.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ApplyAccountRequestSchema, ApplyNumberRequestSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { EditTemplateRequestSchema, TemplateSchema } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { type ApplySubscriptionRequestSchema, Dialect, EventKind } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "./api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "./api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "./api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "./api/v1alpha1/whatsapp-template.ts";
import { componentsOf } from "./template/components.ts";

export function applyAccount({
  metadata,
  spec,
}: WhatsAppBusinessAccount): MessageInitShape<typeof ApplyAccountRequestSchema> {
  return { account: { wabaId: spec.wabaId, name: metadata.name } };
}

const unknownPolicies = { Fail: "fail", Resend: "resend" } as const satisfies Record<
  WhatsAppNumber["spec"]["unknownPolicy"],
  string
>;
const contentPolicies = { Store: "store", PassThrough: "pass_through" } as const satisfies Record<
  WhatsAppNumber["spec"]["contentPolicy"],
  string
>;

/** `account` is the one that the number's accountRef names. */
export function applyNumber(
  { metadata, spec }: WhatsAppNumber,
  account: WhatsAppBusinessAccount,
): MessageInitShape<typeof ApplyNumberRequestSchema> {
  return {
    number: {
      phoneNumberId: spec.phoneNumberId,
      wabaId: account.spec.wabaId,
      displayPhoneNumber: spec.phoneNumber.slice(1),
      name: metadata.name,
      spec: {
        messagesPerSecond: spec.messagesPerSecond,
        unknownPolicy: unknownPolicies[spec.unknownPolicy],
        unknownTimeoutSeconds: spec.unknownTimeoutSeconds,
        queueLimit: spec.queueLimit,
        defaultTtlSeconds: spec.messageTtlSeconds,
        contentPolicy: contentPolicies[spec.contentPolicy],
      },
    },
  };
}

const categories = {
  Marketing: "MARKETING",
  Utility: "UTILITY",
  Authentication: "AUTHENTICATION",
} as const satisfies Record<WhatsAppTemplate["spec"]["category"], string>;
const parameterFormats = { Positional: "POSITIONAL", Named: "NAMED" } as const satisfies Record<
  WhatsAppTemplate["spec"]["parameterFormat"],
  string
>;

/** What the template should be, for the calls that compare, create and edit. `account` is the one that its accountRef names. */
export function declareTemplate(
  { spec }: Pick<WhatsAppTemplate, "spec">,
  account: { spec: Pick<WhatsAppBusinessAccount["spec"], "wabaId"> },
): TemplateDeclaration {
  return {
    wabaId: account.spec.wabaId,
    name: spec.name,
    language: spec.language,
    category: categories[spec.category],
    parameterFormat: parameterFormats[spec.parameterFormat],
    componentsJson: new TextEncoder().encode(JSON.stringify(componentsOf(spec))),
    ...ttlOf(spec),
  };
}

type Declared = "wabaId" | "name" | "language" | "category" | "parameterFormat" | "componentsJson";
export type TemplateDeclaration = Required<Pick<MessageInitShape<typeof TemplateSchema>, Declared>> & {
  /** Absent: whatever WhatsApp has. */
  messageSendTtlSeconds?: number;
};

export const monthSeconds = 2_592_000;
/** How WhatsApp writes 30 days for all categories but MARKETING. */
export const monthAtWhatsApp = -1;

function ttlOf({ category, messageTtlSeconds }: WhatsAppTemplate["spec"]): { messageSendTtlSeconds?: number } {
  if (messageTtlSeconds === undefined) return {};
  const isMonth = category !== "Marketing" && messageTtlSeconds === monthSeconds;
  return { messageSendTtlSeconds: isMonth ? monthAtWhatsApp : messageTtlSeconds };
}

/** What of a template is edited. */
export type EditedParts = { category: boolean; components: boolean; messageTtl: boolean };

export function editTemplate(
  { wabaId, name, language, category, componentsJson, messageSendTtlSeconds }: TemplateDeclaration,
  change: EditedParts,
): MessageInitShape<typeof EditTemplateRequestSchema> {
  const edited = {
    ...(change.category && { category }),
    ...(change.components && { componentsJson }),
    ...(change.messageTtl && messageSendTtlSeconds !== undefined && { messageSendTtlSeconds }),
  };
  return { template: { wabaId, name, language, ...edited } };
}

const dialects = {
  Cloud: Dialect.CLOUD,
  OnPremises: Dialect.ON_PREMISES,
  Native: Dialect.NATIVE,
} as const satisfies Record<WebhookSubscription["spec"]["dialect"], Dialect>;

type Events = NonNullable<WebhookSubscription["spec"]["events"]>[number];

const eventKinds = {
  Messages: EventKind.MESSAGES,
  Statuses: EventKind.STATUSES,
  Account: EventKind.ACCOUNT,
} as const satisfies Record<Events, EventKind>;

/** What a subscription may refer to: the resources of its namespace. */
export type Scope = { accounts: readonly WhatsAppBusinessAccount[]; numbers: readonly WhatsAppNumber[] };

/**
 * `secrets` are the values that secretRef and previousSecretRef name, in that order. A subscription without references gets the accounts of its scope by id, since an
 * empty list would mean every account there is. Throws if a reference leads nowhere.
 */
export function applySubscription(
  { metadata, spec }: WebhookSubscription,
  scope: Scope,
  secrets: string[],
): MessageInitShape<typeof ApplySubscriptionRequestSchema> {
  const numbers = (spec.numberRefs ?? []).map(({ name }) => getNamed(scope.numbers, name).spec.phoneNumberId);
  const accounts = (spec.accountRefs ?? []).map(({ name }) => getNamed(scope.accounts, name).spec.wabaId);
  const isOpen = spec.numberRefs === undefined && spec.accountRefs === undefined;
  return {
    subscription: {
      name: metadata.name,
      url: spec.url,
      dialect: dialects[spec.dialect],
      events: (spec.events ?? []).map((event) => eventKinds[event]),
      phoneNumberIds: numbers,
      wabaIds: isOpen ? scope.accounts.map((account) => account.spec.wabaId) : accounts,
      secrets,
      keepTryingSeconds: spec.keepTryingSeconds,
      timeoutMs: spec.timeoutSeconds * 1_000,
      concurrency: spec.concurrency,
    },
  };
}

function getNamed<R extends WhatsAppBusinessAccount | WhatsAppNumber>(resources: readonly R[], name: string): R {
  const found = resources.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no resource is named ${name}`);
  return found;
}
