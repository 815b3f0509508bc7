// Reads everything that is known of a template: the caches, and the templates service's comparison.
import type { Stored } from "../kinds.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { findOlder } from "../older.ts";
import { declareTemplate, type TemplateDeclaration } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Work } from "../runtime/controller.ts";
import type { Key } from "../runtime/objects.ts";
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
    const account = accountOf(watches, template);
    const declaration = account && declareTemplate(template, account);
    const { observed, isBlip } = declaration === undefined ? nobody : await catalog.ask(declaration, signal);
    return {
      declaration,
      memory,
      facts: {
        template,
        account,
        ...twinsOf(watches, template, account),
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

function twinsOf(
  watches: TemplateWatches,
  template: Stored<WhatsAppTemplate>,
  account: WhatsAppBusinessAccount | undefined,
): { twin: string | undefined; isShared: boolean } {
  const { name, language } = template.spec;
  const others = watches.templates.store
    .lookup("template", `${name}/${language}`)
    .filter((other) => other.metadata.uid !== template.metadata.uid)
    .filter((other) => accountOf(watches, other)?.spec.wabaId === account?.spec.wabaId);
  return { twin: findOlder(template, others), isShared: others.length > 0 };
}

/** What was handed in just now, before what the status tells. */
function submittedOf({ status }: WhatsAppTemplate, memory: TemplateMemory): TemplateFacts["submitted"] {
  if (memory.submitted !== undefined) return memory.submitted;
  const { submittedHash, lastSubmittedTime } = status ?? {};
  if (submittedHash === undefined || lastSubmittedTime === undefined) return undefined;
  return { hash: submittedHash, at: new Date(lastSubmittedTime) };
}
