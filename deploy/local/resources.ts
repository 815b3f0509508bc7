// The resources that drive the local runner: ours, and Kubernetes' Secret.
import type { ObjectMeta } from "#operator/api/metadata.ts";
import type { ConnectionClass } from "#operator/api/v1alpha1/connection-class.ts";
import type { WebhookSubscription } from "#operator/api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "#operator/api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "#operator/api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "#operator/api/v1alpha1/whatsapp-template.ts";

export type Secret = {
  kind: "Secret";
  metadata: ObjectMeta;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
};

export type Resource =
  | Secret
  | WhatsAppBusinessAccount
  | WhatsAppNumber
  | WhatsAppTemplate
  | WebhookSubscription
  | ConnectionClass;

/** A resource and the file that it stands in, as faults name it. */
export type Declared = { file: string; resource: Resource };

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The keys of `data` whose values are no base64. The API server refuses them too; line breaks it takes, and so do we. */
export function keysNotInBase64({ data = {} }: Secret): string[] {
  return Object.entries(data).flatMap(([key, value]) => (base64.test(value.replaceAll(/[\r\n]/g, "")) ? [] : [key]));
}

/** The values of a Secret as text; stringData wins over data, as at the API server. */
export function valuesOf({ data = {}, stringData = {} }: Secret): Record<string, string> {
  const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]);
  return { ...Object.fromEntries(decoded), ...stringData };
}
