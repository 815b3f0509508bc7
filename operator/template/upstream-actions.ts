// What is said to WhatsApp, through the templates service. Refusals are remembered for the conditions.
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { type EditedParts, editTemplate, type TemplateDeclaration } from "../registration.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Catalog } from "./catalog.ts";
import type { Observed } from "./observe.ts";
import { judgeFault } from "./refusals.ts";

/** `known`: done, or refused and remembered; `unclear`: to be tried again later, each time later. */
export type Done = "known" | "unclear";

export type UpstreamActions = {
  create(observed: Observed, signal: AbortSignal): Promise<Done>;
  edit(observed: Observed, change: EditedParts, signal: AbortSignal): Promise<Done>;
  remove(observed: Observed, signal: AbortSignal): Promise<Done>;
};

type Dependencies = {
  templates: Pick<Client<typeof TemplatesService>, "createTemplate" | "editTemplate" | "deleteTemplate">;
  catalog: Pick<Catalog, "ask" | "ensureRead" | "doubt">;
  clock: Clock;
};

/** The service gives WhatsApp 35 s. */
const deadlineMs = 40_000;
const firstRetryMs = 10_000;

export function upstreamActions(dependencies: Dependencies): UpstreamActions {
  const { templates, catalog } = dependencies;
  return {
    create: (observed, signal) =>
      handIn(dependencies, observed, async (template) => {
        await catalog.ensureRead(template.wabaId, signal);
        const { observed: present } = await catalog.ask(template, signal);
        if (present.kind === "away" || present.value !== undefined) return false;
        await templates.createTemplate({ template }, { deadlineMs, signal });
        return true;
      }),
    edit: (observed, change, signal) =>
      handIn(dependencies, observed, async (declared) => {
        await templates.editTemplate(editTemplate(declared, change), { deadlineMs, signal });
        return true;
      }),
    remove: (observed, signal) => remove(dependencies, observed, signal),
  };
}

/** Runs what hands content in and tells whether it did, and remembers what became of it. */
async function handIn(
  { catalog, clock }: Dependencies,
  { facts, memory, declaration }: Observed,
  call: (declared: TemplateDeclaration) => Promise<boolean>,
): Promise<Done> {
  if (declaration === undefined) return "known";
  const { hash } = facts;
  try {
    // To the second, as the status keeps it.
    const at = new Date(Math.floor(clock.wallMs() / 1_000) * 1_000);
    if (await call(declaration)) memory.submitted = { hash, at };
    memory.refusals.submission = undefined;
    return "known";
  } catch (error) {
    const verdict = judgeFault(ServiceError.from(error));
    if (verdict.kind === "unclear") {
      catalog.doubt(declaration.wabaId);
      return "unclear";
    }
    const { reason, message, retryMs } = verdict;
    memory.refusals.submission = { hash, reason, message, retryAt: new Date(clock.wallMs() + retryMs) };
    return "known";
  }
}

async function remove(
  { templates, clock }: Dependencies,
  { facts, memory, declaration }: Observed,
  signal: AbortSignal,
): Promise<Done> {
  if (declaration === undefined) return "known";
  const { wabaId, name, language } = declaration;
  try {
    await templates.deleteTemplate({ key: { wabaId, name, language } }, { deadlineMs, signal });
    memory.refusals.deletion = undefined;
  } catch (error) {
    const { reason, message } = ServiceError.from(error);
    const tries = (facts.refusals.deletion?.tries ?? 0) + 1;
    const retryAt = new Date(clock.wallMs() + firstRetryMs * 2 ** (tries - 1));
    if (reason === "template_missing") memory.refusals.deletion = undefined;
    else memory.refusals.deletion = { tries, message: `it was not deleted at WhatsApp: ${message}`, retryAt };
  }
  return "known";
}
