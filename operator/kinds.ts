// The kinds that the operator reads and writes, and how raw objects become typed ones.
import type { ConnectionClass } from "./api/v1alpha1/connection-class.ts";
import type { WebhookSubscription } from "./api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "./api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "./api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "./api/v1alpha1/whatsapp-template.ts";
import type { KubeObject, Resource } from "./runtime/objects.ts";

const group = "heliograph.dev";
const ours = { group, version: "v1alpha1" };
const core = { group: "", version: "v1" };

export const whatsAppNumbers: Resource = {
  ...ours,
  kind: "WhatsAppNumber",
  plural: "whatsappnumbers",
  isNamespaced: true,
};
export const businessAccounts: Resource = {
  ...ours,
  kind: "WhatsAppBusinessAccount",
  plural: "whatsappbusinessaccounts",
  isNamespaced: true,
};
export const whatsAppTemplates: Resource = {
  ...ours,
  kind: "WhatsAppTemplate",
  plural: "whatsapptemplates",
  isNamespaced: true,
};
export const connectionClasses: Resource = {
  ...ours,
  kind: "ConnectionClass",
  plural: "connectionclasses",
  isNamespaced: false,
};
export const webhookSubscriptions: Resource = {
  ...ours,
  kind: "WebhookSubscription",
  plural: "webhooksubscriptions",
  isNamespaced: true,
};
export const pods: Resource = { ...core, kind: "Pod", plural: "pods", isNamespaced: true };
export const nodes: Resource = { ...core, kind: "Node", plural: "nodes", isNamespaced: false };
export const secrets: Resource = { ...core, kind: "Secret", plural: "secrets", isNamespaced: true };

/** An object as the API server stores it: it has a uid and a version. */
export type Stored<T> = KubeObject & T;

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** Everything but what kubectl leaves for itself, which is as long as the rest. Throws if it is of another kind. */
export function projectNumber(object: KubeObject): Stored<WhatsAppNumber> {
  if (!isNumber(object)) throw new Error(`a ${object.kind} is no WhatsAppNumber`);
  return withoutLastApplied(object);
}

/** As projectNumber. */
export function projectAccount(object: KubeObject): Stored<WhatsAppBusinessAccount> {
  if (!isAccount(object)) throw new Error(`a ${object.kind} is no WhatsAppBusinessAccount`);
  return withoutLastApplied(object);
}

/** As projectNumber. */
export function projectTemplate(object: KubeObject): Stored<WhatsAppTemplate> {
  if (!isTemplate(object)) throw new Error(`a ${object.kind} is no WhatsAppTemplate`);
  return withoutLastApplied(object);
}

/** As projectNumber. */
export function projectSubscription(object: KubeObject): Stored<WebhookSubscription> {
  if (!isSubscription(object)) throw new Error(`a ${object.kind} is no WebhookSubscription`);
  return withoutLastApplied(object);
}

/** As projectNumber. */
export function projectClass(object: KubeObject): Stored<ConnectionClass> {
  if (!isClass(object)) throw new Error(`a ${object.kind} is no ConnectionClass`);
  return withoutLastApplied(object);
}

// The API server checks every object of ours against the schema that the types are made from.
function isNumber(object: KubeObject): object is Stored<WhatsAppNumber> {
  return object.kind === whatsAppNumbers.kind && "spec" in object;
}

function isAccount(object: KubeObject): object is Stored<WhatsAppBusinessAccount> {
  return object.kind === businessAccounts.kind && "spec" in object;
}

function isTemplate(object: KubeObject): object is Stored<WhatsAppTemplate> {
  return object.kind === whatsAppTemplates.kind && "spec" in object;
}

function isSubscription(object: KubeObject): object is Stored<WebhookSubscription> {
  return object.kind === webhookSubscriptions.kind && "spec" in object;
}

function isClass(object: KubeObject): object is Stored<ConnectionClass> {
  return object.kind === connectionClasses.kind && "spec" in object;
}

function withoutLastApplied<T extends KubeObject>(object: T): T {
  const { annotations } = object.metadata;
  if (annotations !== undefined) delete annotations[lastApplied];
  return object;
}
