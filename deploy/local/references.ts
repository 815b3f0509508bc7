// What no schema can see: resources that are declared twice, and references to what is not there.
import type { WebhookSubscription } from "#operator/api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "#operator/api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "#operator/api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "#operator/api/v1alpha1/whatsapp-template.ts";
import { type Declared, keysNotInBase64, type Resource, valuesOf } from "./resources.ts";

type Find = (kind: Resource["kind"], name: string) => Resource | undefined;

/** A line for each fault, with file and resource, in the order of declaration. */
export function findReferenceFaults(declared: readonly Declared[]): string[] {
  const find: Find = (kind, name) =>
    declared.find(({ resource }) => resource.kind === kind && resource.metadata.name === name)?.resource;
  const references = declared.flatMap(({ file, resource }) =>
    faultsOf(resource, find).map((fault) => `${file}: ${nameOf(resource)}: ${fault}`),
  );
  return [...findRepeats(declared), ...references];
}

function nameOf(resource: Resource): string {
  return `${resource.kind}/${resource.metadata.name}`;
}

/** Each value that may stand once only, and the field (or the name) that holds it. */
function uniqueValuesOf(resource: Resource): [field: string, value: string][] {
  const own: [string, string] = ["", nameOf(resource)];
  switch (resource.kind) {
    case "WhatsAppBusinessAccount":
      return [own, ["spec.wabaId", resource.spec.wabaId]];
    case "WhatsAppNumber":
      return [
        own,
        ["spec.phoneNumberId", resource.spec.phoneNumberId],
        ["spec.phoneNumber", resource.spec.phoneNumber],
      ];
    case "WhatsAppTemplate":
      return [own, ["spec.name in this account and language", templateKey(resource)]];
    case "ConnectionClass":
    case "Secret":
    case "WebhookSubscription":
      return [own];
  }
}

function templateKey({ spec }: WhatsAppTemplate): string {
  return `${spec.accountRef.name} ${spec.language} ${spec.name}`;
}

function findRepeats(declared: readonly Declared[]): string[] {
  const seen = new Map<string, Declared>();
  const faults: string[] = [];
  for (const { file, resource } of declared) {
    for (const [field, value] of uniqueValuesOf(resource)) {
      const key = `${field} ${value}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, { file, resource });
      else if (field === "") faults.push(`${file}: ${nameOf(resource)}: is declared already in ${first.file}`);
      else faults.push(`${file}: ${nameOf(resource)}: ${field} is that of ${nameOf(first.resource)} in ${first.file}`);
    }
  }
  return faults;
}

function faultsOf(resource: Resource, find: Find): string[] {
  switch (resource.kind) {
    case "Secret":
      return keysNotInBase64(resource).map((key) => `data.${key} must be base64; plain text goes under stringData`);
    case "ConnectionClass":
      return [];
    case "WhatsAppBusinessAccount":
      return accountFaults(resource, find);
    case "WhatsAppTemplate":
      return missing("spec.accountRef.name", "WhatsAppBusinessAccount", resource.spec.accountRef.name, find);
    case "WhatsAppNumber":
      return numberFaults(resource, find);
    case "WebhookSubscription":
      return subscriptionFaults(resource, find);
  }
}

function accountFaults({ spec }: WhatsAppBusinessAccount, find: Find): string[] {
  return secretFaults(
    "spec.credentialsRef.name",
    spec.credentialsRef.name,
    ["accessToken", "appSecret", "verifyToken"],
    find,
  );
}

function numberFaults({ spec }: WhatsAppNumber, find: Find): string[] {
  return [
    ...missing("spec.accountRef.name", "WhatsAppBusinessAccount", spec.accountRef.name, find),
    ...(spec.credentialsRef === undefined
      ? []
      : secretFaults("spec.credentialsRef.name", spec.credentialsRef.name, ["accessToken"], find)),
    ...keyFaults("spec.registration.pinRef.name", spec.registration?.pinRef, find),
  ];
}

function subscriptionFaults({ spec }: WebhookSubscription, find: Find): string[] {
  return [
    ...(spec.numberRefs ?? []).flatMap(({ name }, index) =>
      missing(`spec.numberRefs[${index}].name`, "WhatsAppNumber", name, find),
    ),
    ...(spec.accountRefs ?? []).flatMap(({ name }, index) =>
      missing(`spec.accountRefs[${index}].name`, "WhatsAppBusinessAccount", name, find),
    ),
    ...keyFaults("spec.secretRef.name", spec.secretRef, find),
    ...keyFaults("spec.previousSecretRef.name", spec.previousSecretRef, find),
  ];
}

function keyFaults(field: string, reference: { name: string; key: string } | undefined, find: Find): string[] {
  return reference === undefined ? [] : secretFaults(field, reference.name, [reference.key], find);
}

function missing(field: string, kind: Resource["kind"], name: string, find: Find): string[] {
  return find(kind, name) === undefined ? [`${field}: no ${kind} is named ${name}`] : [];
}

function secretFaults(field: string, name: string, keys: readonly string[], find: Find): string[] {
  const secret = find("Secret", name);
  if (secret?.kind !== "Secret") return missing(field, "Secret", name, find);
  const values = valuesOf(secret);
  return keys
    .filter((key) => (values[key] ?? "").trim() === "")
    .map((key) => `${field}: Secret ${name} has no key ${key}`);
}
