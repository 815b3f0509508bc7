// What a subscription's references lead to. A resource that is younger than another with the same id at WhatsApp leads nowhere:
// otherwise whoever writes down another's id would get their messages.
import { create } from "@bufbuild/protobuf";
import { SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { applySubscription } from "../registration.ts";
import type { Resolved } from "./facts.ts";

/** A resource of the namespace, and whether an older one has its id. */
export type Candidate<T> = { resource: T; isInUse: boolean };

/** All of the namespace's, or at least all that the subscription refers to. */
export type Candidates = {
  accounts: readonly Candidate<WhatsAppBusinessAccount>[];
  numbers: readonly Candidate<WhatsAppNumber>[];
};

/** `name` is the subscription's at the webhooks service, which knows no namespaces. */
export function resolve(subscription: WebhookSubscription, candidates: Candidates, name: string): Resolved {
  const { numberRefs = [], accountRefs = [] } = subscription.spec;
  const faults = [
    ...numberRefs.map((ref) => findFault("Number", "WhatsAppNumber", ref.name, candidates.numbers)),
    ...accountRefs.map((ref) => findFault("Account", "WhatsAppBusinessAccount", ref.name, candidates.accounts)),
  ];
  const fault = faults.find((one) => one !== undefined);
  if (fault !== undefined) return fault;
  const scope = { accounts: free(candidates.accounts), numbers: free(candidates.numbers) };
  const isOpen = numberRefs.length === 0 && accountRefs.length === 0;
  // The service takes an empty list for every account there is.
  if (isOpen && scope.accounts.length === 0)
    return {
      kind: "unresolved",
      reason: "NoAccounts",
      why: "there is no WhatsAppBusinessAccount in the namespace; apply one",
    };
  const renamed = { ...subscription, metadata: { ...subscription.metadata, name } };
  const { subscription: declared } = applySubscription(renamed, scope, []);
  return { kind: "resolved", declared: create(SubscriptionSchema, declared) };
}

function free<T extends { spec: object }>(candidates: readonly Candidate<T>[]): T[] {
  return candidates.filter(({ isInUse }) => !isInUse).map(({ resource }) => resource);
}

function findFault(
  what: "Number" | "Account",
  kind: string,
  name: string,
  candidates: readonly Candidate<WhatsAppNumber | WhatsAppBusinessAccount>[],
): Extract<Resolved, { kind: "unresolved" }> | undefined {
  const found = candidates.find(({ resource }) => resource.metadata.name === name);
  if (found === undefined)
    return {
      kind: "unresolved",
      reason: `${what}Missing`,
      why: `there is no ${kind} ${name} in the namespace; apply it`,
    };
  if (!found.isInUse) return undefined;
  return { kind: "unresolved", reason: `${what}InUse`, why: `an older ${kind} has the same id at WhatsApp as ${name}` };
}
