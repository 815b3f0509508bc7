// What is there already, as the resources that declare it: the other direction of registration.ts. Pure; defaults are left out.
import type { UpstreamPhoneNumber } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { Number as RegisteredNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { apiVersionOf } from "./runtime/objects.ts";
import { businessAccounts } from "./kinds.ts";

/** As it is written to a file. */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown>;
};

const apiVersion = apiVersionOf(businessAccounts);

export function manifest(kind: string, name: string, spec: Record<string, unknown>): Manifest {
  return { apiVersion, kind, metadata: { name }, spec };
}

export function adoptAccount(wabaId: string, { name, secret }: { name: string; secret: string }): Manifest {
  return manifest("WhatsAppBusinessAccount", name, { wabaId, credentialsRef: { name: secret } });
}

/**
 * `registered`: what the services know of it. Without that it is declared Disconnected: to declare a number changes nothing for
 * whoever runs it now.
 */
export function adoptNumber(
  upstream: UpstreamPhoneNumber,
  registered: RegisteredNumber | undefined,
  { name, accountName }: { name: string; accountName: string },
): Manifest {
  return manifest("WhatsAppNumber", name, {
    accountRef: { name: accountName },
    phoneNumberId: upstream.phoneNumberId,
    phoneNumber: `+${upstream.displayPhoneNumber.replaceAll(/\D/g, "")}`,
    ...(upstream.verifiedName !== "" && { displayName: upstream.verifiedName.slice(0, 512) }),
    ...(registered === undefined ? { desiredState: "Disconnected" } : settingsOf(registered)),
  });
}

function settingsOf({ spec }: RegisteredNumber): Record<string, unknown> {
  if (spec === undefined) return {};
  const values = {
    messagesPerSecond: spec.messagesPerSecond,
    queueLimit: spec.queueLimit,
    messageTtlSeconds: spec.defaultTtlSeconds,
    unknownTimeoutSeconds: spec.unknownTimeoutSeconds,
  };
  const set = Object.entries(values).filter(([, value]) => value !== 0);
  return {
    ...Object.fromEntries(set),
    ...(spec.unknownPolicy === "resend" && { unknownPolicy: "Resend" }),
    ...(spec.contentPolicy === "pass_through" && { contentPolicy: "PassThrough" }),
  };
}

/** Makes names that Kubernetes takes, each once. Never of a phone number. */
export function nameMaker(taken: Iterable<string> = []): (text: string, otherwise: string) => string {
  const used = new Set(taken);
  return (text, otherwise) => {
    const base = toName(text) || otherwise;
    let name = base;
    for (let count = 2; used.has(name); count += 1) name = `${base}-${count}`;
    used.add(name);
    return name;
  };
}

function toName(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 60)
    .replaceAll(/^-+|-+$/g, "");
}
