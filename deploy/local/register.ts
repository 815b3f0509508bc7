// Makes the manifests known to the services, by the calls that the operator makes on a cluster. What a former run had declared
// and this one does not is taken out again.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { WhatsAppTemplate } from "#operator/api/v1alpha1/whatsapp-template.ts";
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { applyAccount, applyNumber, applySubscription, declareTemplate, editTemplate } from "#operator/registration.ts";
import { decideSubmission } from "#operator/template/submission.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WhatsAppBusinessAccount } from "#operator/api/v1alpha1/whatsapp-business-account.ts";
import type { Manifests } from "./manifests.ts";

/** Numbers and accounts. Must come before the connections: a lease is that of a known number. */
export async function registerNumbers(messagesAddress: string, { accounts, numbers }: Manifests): Promise<void> {
  await using messages = createClient(MessagesService, messagesAddress);
  for (const account of accounts) {
    await named(`WhatsAppBusinessAccount/${account.metadata.name}`, messages.applyAccount(applyAccount(account)));
  }
  // First, since a phone number may have moved to another id.
  const declared = new Set(numbers.map(({ spec }) => spec.phoneNumberId));
  for (const { phoneNumberId, name } of (await messages.listNumbers({})).numbers) {
    if (!declared.has(phoneNumberId)) await named(`WhatsAppNumber/${name}`, messages.removeNumber({ phoneNumberId }));
  }
  for (const number of numbers) {
    const account = accounts.find(({ metadata }) => metadata.name === number.spec.accountRef.name);
    if (account === undefined) continue;
    await named(`WhatsAppNumber/${number.metadata.name}`, messages.applyNumber(applyNumber(number, account)));
  }
}

/** `urlOf` may send a subscription's deliveries elsewhere. */
export async function registerSubscriptions(
  webhooksAddress: string,
  { accounts, numbers, subscriptions, secrets }: Manifests,
  urlOf: (declared: string) => string,
): Promise<void> {
  await using webhooks = createClient(WebhooksService, webhooksAddress);
  const declared = new Set(subscriptions.map(({ metadata }) => metadata.name));
  for (const { name } of (await webhooks.listSubscriptions({})).subscriptions) {
    if (!declared.has(name)) await named(`WebhookSubscription/${name}`, webhooks.removeSubscription({ name }));
  }
  for (const subscription of subscriptions) {
    const { url, secretRef, previousSecretRef } = subscription.spec;
    const aimed = { ...subscription, spec: { ...subscription.spec, url: urlOf(url) } };
    const references = previousSecretRef === undefined ? [secretRef] : [secretRef, previousSecretRef];
    const signing = references.map(({ name, key }) => (secrets.get(name)?.[key] ?? "").trim());
    const request = applySubscription(aimed, { accounts, numbers }, signing);
    await named(`WebhookSubscription/${subscription.metadata.name}`, webhooks.applySubscription(request));
  }
}

/** Has the services read what WhatsApp knows now, instead of at their next turn. Needs connected numbers. */
export async function readUpstream(
  addresses: { templates: string; quality: string },
  { accounts, numbers }: Manifests,
): Promise<void> {
  await using templates = createClient(TemplatesService, addresses.templates);
  await using quality = createClient(QualityService, addresses.quality);
  const connected = numbers.filter(({ spec }) => spec.desiredState === "Connected");
  const active = accounts.filter(({ metadata }) =>
    connected.some(({ spec }) => spec.accountRef.name === metadata.name),
  );
  await Promise.all([
    ...active.map(({ metadata, spec }) =>
      named(`templates of ${metadata.name}`, templates.syncTemplates({ wabaId: spec.wabaId })),
    ),
    ...connected.map(({ metadata, spec }) =>
      named(`facts of ${metadata.name}`, quality.refreshNumber({ phoneNumberId: spec.phoneNumberId })),
    ),
  ]);
}

/**
 * Hands in what WhatsApp does not have, or has otherwise, of the templates of connected accounts: once, at the start. Answers a line
 * for each that it did or could not do. Must come after WhatsApp was read.
 */
export async function submitTemplates(
  templatesAddress: string,
  { accounts, numbers, templates }: Manifests,
): Promise<string[]> {
  await using service = createClient(TemplatesService, templatesAddress, { deadlineMs: submitDeadlineMs });
  const told = templates.map(async (template) => {
    const { name } = template.spec.accountRef;
    const account = accounts.find(({ metadata }) => metadata.name === name);
    const isActive = numbers.some(({ spec }) => spec.accountRef.name === name && spec.desiredState === "Connected");
    if (account === undefined || !isActive) return undefined;
    const line = await submitTemplate(service, template, account).catch(
      (error: unknown) => ServiceError.from(error).message,
    );
    return line === undefined ? undefined : `WhatsAppTemplate/${template.metadata.name}: ${line}`;
  });
  return (await Promise.all(told)).filter((line) => line !== undefined);
}

/** WhatsApp checks a template for some seconds before it answers. */
const submitDeadlineMs = 40_000;

/** As the operator would; what was handed in before is known to WhatsApp alone. */
async function submitTemplate(
  service: Client<typeof TemplatesService>,
  template: WhatsAppTemplate,
  account: WhatsAppBusinessAccount,
): Promise<string | undefined> {
  const declared = declareTemplate(template, account);
  const { wabaId, name, language } = declared;
  const found = await service.getTemplate({ key: { wabaId, name, language }, declared }).catch((error: unknown) => {
    if (error instanceof ServiceError && error.code === "NOT_FOUND") return undefined;
    throw error;
  });
  const submission = decideSubmission({
    policy: template.spec.managementPolicy,
    observed: found && {
      status: found.template?.status ?? "",
      differences: found.differences,
      isEditable: found.editable,
      notEditableBecause: found.notEditableBecause,
      editableAt: found.editableAt && timestampDate(found.editableAt),
    },
    submittedMsAgo: undefined,
    isKept: false,
  });
  switch (submission.kind) {
    case "none":
      return undefined;
    case "create":
      await service.createTemplate({ template: declared });
      return "handed in for review";
    case "edit":
      await service.editTemplate(editTemplate(declared, submission));
      return "an edit was handed in for review";
    case "wait":
    case "never":
      return `WhatsApp has another one: ${submission.message}`;
  }
}

async function named<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
