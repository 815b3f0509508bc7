// Reads everything that is known of a template: the caches, and the templates service's comparison.
import type { Stored } from "../kinds.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { annotations } from "../names.ts";
import { findOlder } from "../older.ts";
import { declareTemplate, type TemplateDeclaration } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Work } from "../runtime/controller.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import type { Watches } from "../watches.ts";
import type { Catalog } from "./catalog.ts";
import type { TemplateFacts } from "./facts.ts";
import type { TemplateMemories, TemplateMemory } from "./memory.ts";

export type Observed = {
  facts: TemplateFacts;
  /** Undefined: the account is missing. */
  declaration: TemplateDeclaration | undefined;
  memory: TemplateMemory;
};

export type TemplateWatches = Pick<Watches, "templates" | "accounts">;

type ObserverOptions = {
  watches: TemplateWatches;
  catalog: Pick<Catalog, "ask">;
  memories: TemplateMemories;
  clock: Clock;
};

/** Undefined: there is no such template. */
export type Observe = (work: Work) => Promise<Observed | undefined>;

export function templateObserver({ watches, catalog, memories, clock }: ObserverOptions): Observe {
  return async ({ key, signal }) => {
    const template = watches.templates.store.get(key);
    if (template === undefined) return undefined;
    const memory = memories.of(key);
    forgetRefusals(memory, template);
    const account = accountOf(watches, template);
    const wabaId = account?.spec.wabaId ?? wabaIdBefore(template);
    const claims = wabaId === undefined ? [] : watches.accounts.store.lookup("wabaId", wabaId);
    const accountTwin = findClaim(template, account, claims);
    const declaration = wabaId === undefined ? undefined : declareTemplate(template, { spec: { wabaId } });
    // What another's account has is none of their business.
    const isAsked = declaration !== undefined && accountTwin === undefined;
    const { observed, isBlip } = isAsked ? await catalog.ask(declaration, signal) : nobody;
    return {
      declaration,
      memory,
      facts: {
        template,
        account,
        wabaId,
        accountTwin,
        ...twinsOf(watches, template, claims),
        hash: hashOf(declaration === undefined ? {} : readable(declaration)),
        submitted: submittedOf(template, memory),
        observed,
        isBlip,
        refusals: memory.refusals,
        now: new Date(clock.wallMs()),
      },
    };
  };
}

/** What a person asks to be tried again is tried again. */
function forgetRefusals(memory: TemplateMemory, { metadata }: Stored<WhatsAppTemplate>): void {
  const reconcileAt = metadata.annotations?.[annotations.reconcileAt];
  if (memory.reconcileAt !== reconcileAt) memory.refusals = {};
  memory.reconcileAt = reconcileAt;
}

/** Accounts are often deleted before their templates, which are to go at WhatsApp all the same. */
function wabaIdBefore({ metadata, status }: Stored<WhatsAppTemplate>): string | undefined {
  return metadata.deletionTimestamp === undefined ? undefined : status?.wabaId;
}

/** Of an account that is gone: whoever has it now, in another namespace. */
function findClaim(
  { metadata }: Stored<WhatsAppTemplate>,
  account: Stored<WhatsAppBusinessAccount> | undefined,
  claims: readonly Stored<WhatsAppBusinessAccount>[],
): Key | undefined {
  if (account !== undefined) return findOlder(account, claims);
  const other = claims.find((claim) => claim.metadata.namespace !== metadata.namespace);
  return other && keyOf(other.metadata);
}

const nobody = { observed: { kind: "known", value: undefined }, isBlip: false } as const;

export function accountOf(watches: TemplateWatches, template: Stored<WhatsAppTemplate>) {
  return watches.accounts.store.get(accountKeyOf(template));
}

export function accountKeyOf({ metadata, spec }: Stored<WhatsAppTemplate>): Key {
  return `${metadata.namespace ?? ""}/${spec.accountRef.name}`;
}

function readable({ componentsJson, ...rest }: TemplateDeclaration): object {
  return { ...rest, components: Buffer.from(componentsJson).toString("utf8") };
}

/** `claims` are the resources of its account; those of a younger one do not count. */
function twinsOf(
  watches: TemplateWatches,
  template: Stored<WhatsAppTemplate>,
  claims: readonly Stored<WhatsAppBusinessAccount>[],
): { twin: string | undefined; isShared: boolean } {
  const { name, language } = template.spec;
  const others = watches.templates.store
    .lookup("template", `${name}/${language}`)
    .filter((other) => other.metadata.uid !== template.metadata.uid)
    .filter((other) => {
      const theirs = accountOf(watches, other);
      return claims.some(({ metadata }) => metadata.uid === theirs?.metadata.uid) && isFree(theirs, claims);
    });
  return { twin: findOlder(template, others), isShared: others.length > 0 };
}

function isFree(
  account: Stored<WhatsAppBusinessAccount> | undefined,
  claims: readonly Stored<WhatsAppBusinessAccount>[],
): boolean {
  return account !== undefined && findOlder(account, claims) === undefined;
}

/** What was handed in just now, before what the status tells. */
function submittedOf({ status }: WhatsAppTemplate, memory: TemplateMemory): TemplateFacts["submitted"] {
  if (memory.submitted !== undefined) return memory.submitted;
  const { submittedHash, lastSubmittedTime } = status ?? {};
  if (submittedHash === undefined || lastSubmittedTime === undefined) return undefined;
  return { hash: submittedHash, at: new Date(lastSubmittedTime) };
}
