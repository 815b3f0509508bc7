// What the templates service knows of the templates that resources declare. One is compared at each look; all of them are asked for
// now and then, a hundred at a time, so that a change at WhatsApp wakes its resource.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import { type Loop, loop } from "#lib/lifecycle.ts";
import type {
  GetTemplateResponse,
  Template,
  TemplateKey,
  TemplatesService,
} from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { Answer } from "../number/facts.ts";
import type { TemplateDeclaration } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ObservedTemplate } from "./facts.ts";

export type TemplateName = Pick<TemplateKey, "wabaId" | "name" | "language">;

export type Catalog = AsyncDisposable & {
  /** Compares. Never rejects; `isBlip`: the service answered a moment ago. */
  ask(
    declared: TemplateDeclaration,
    signal: AbortSignal,
  ): Promise<{ observed: Answer<ObservedTemplate | undefined>; isBlip: boolean }>;
  /** Has the service read the account from WhatsApp, if it did not do so just now. Throws ServiceError. */
  ensureRead(wabaId: string, signal: AbortSignal): Promise<void>;
  /** Nobody knows what became of a change. */
  doubt(wabaId: string): void;
  /** Begins to ask for all of them. */
  follow(followed: Followed): void;
};

type Followed = {
  declared: () => Iterable<TemplateName>;
  onChange: (template: TemplateName) => void;
  /** The service went away for longer, or is back. */
  onTurn: () => void;
};

type CatalogOptions = {
  templates: Pick<Client<typeof TemplatesService>, "getTemplate" | "batchGetTemplates" | "syncTemplates">;
  clock: Clock;
  log: Logger;
  /** Between two rounds; 15 s unless told. */
  pollMs?: number | undefined;
};

const awayAfterMs = 20_000;
const batchSize = 100;
const readDeadlineMs = 50_000;
const freshMs = 30_000;

export function createCatalog({ templates, clock, log, pollMs = 15_000 }: CatalogOptions): Catalog {
  /** By name: of what was last seen; a deleted one is none. */
  const seen: Fingerprints = new Map();
  const accounts = accountReader(templates, clock);
  let silentSinceMs: number | undefined;
  let polling: Loop | undefined;

  const isAway = (): boolean => silentSinceMs !== undefined && clock.monotonicMs() - silentSinceMs >= awayAfterMs;

  async function ask(declared: TemplateDeclaration, signal: AbortSignal): ReturnType<Catalog["ask"]> {
    const { wabaId, name, language } = declared;
    try {
      const key = { wabaId, name, language };
      const answer = await templates.getTemplate({ key, declared }, { signal }).catch(orAbsent);
      silentSinceMs = undefined;
      seen.set(nameOf(declared), fingerprintOf(answer?.template));
      return { observed: { kind: "known", value: answer && toObserved(answer) }, isBlip: false };
    } catch (error) {
      silentSinceMs ??= clock.monotonicMs();
      const why = ServiceError.from(error).message;
      return { observed: { kind: "away", service: "templates", why }, isBlip: !isAway() };
    }
  }

  async function round(followed: Followed, signal: AbortSignal): Promise<void> {
    const wasAway = isAway();
    try {
      for (const changed of await findChanged(templates, seen, followed.declared(), signal)) followed.onChange(changed);
      silentSinceMs = undefined;
    } catch (error) {
      if (signal.aborted) return;
      silentSinceMs ??= clock.monotonicMs();
      log.debug({ err: error }, "templates did not answer");
    }
    if (isAway() !== wasAway) followed.onTurn();
  }

  return {
    ask,
    ...accounts,
    follow(followed) {
      const task = (signal: AbortSignal): Promise<void> => round(followed, signal);
      polling ??= loop({ name: "templates", intervalMs: pollMs, jitter: 0.1, log, task });
    },
    async [Symbol.asyncDispose]() {
      await polling?.[Symbol.asyncDispose]();
    },
  };
}

/** Several resources of an account are satisfied by one reading. */
function accountReader(
  templates: Pick<CatalogOptions["templates"], "syncTemplates">,
  clock: Clock,
): Pick<Catalog, "ensureRead" | "doubt"> {
  const readings = new Map<string, { atMs: number; reading: Promise<unknown> }>();
  return {
    async ensureRead(wabaId, signal) {
      const last = readings.get(wabaId);
      if (last !== undefined && clock.monotonicMs() - last.atMs < freshMs) return void (await last.reading);
      const reading = templates.syncTemplates({ wabaId }, { deadlineMs: readDeadlineMs, signal });
      const entry = { atMs: clock.monotonicMs(), reading };
      readings.set(wabaId, entry);
      await reading.catch((error: unknown) => {
        if (readings.get(wabaId) === entry) readings.delete(wabaId);
        throw error;
      });
    },
    doubt: (wabaId) => void readings.delete(wabaId),
  };
}

type Fingerprints = Map<string, string>;

/** Asked chunk by chunk, so that an answer stays small. What is not declared any more is forgotten. */
async function findChanged(
  templates: Pick<CatalogOptions["templates"], "batchGetTemplates">,
  seen: Fingerprints,
  declared: Iterable<TemplateName>,
  signal: AbortSignal,
): Promise<TemplateName[]> {
  const wanted = new Map(Array.from(declared, (one) => [nameOf(one), one]));
  for (const name of seen.keys()) if (!wanted.has(name)) seen.delete(name);
  const names = [...wanted.values()];
  const changed: TemplateName[] = [];
  for (let at = 0; at < names.length; at += batchSize) {
    const keys = names.slice(at, at + batchSize);
    const { templates: found } = await templates.batchGetTemplates({ keys }, { signal });
    const present = new Map(found.map((template) => [nameOf(template), fingerprintOf(template)]));
    const differs = (name: string): boolean => (present.get(name) ?? absent) !== (seen.get(name) ?? absent);
    changed.push(...keys.filter((key) => differs(nameOf(key))));
  }
  return changed;
}

const absent = "";
const deleted = "DELETED";

function nameOf({ wabaId, name, language }: TemplateName): string {
  return `${wabaId}/${name}/${language}`;
}

/** Of what a reconcile depends on. */
function fingerprintOf(template: Template | undefined): string {
  if (template === undefined || template.status === deleted) return absent;
  const { templateId, category, status, quality, parameterFormat, rejectedReason, componentsJson } = template;
  const { messageSendTtlSeconds } = template;
  const text = Buffer.from(componentsJson).toString("utf8");
  return hashOf([templateId, category, status, quality, parameterFormat, rejectedReason, text, messageSendTtlSeconds]);
}

function orAbsent(error: unknown): undefined {
  if (error instanceof ServiceError && error.code === "NOT_FOUND") return undefined;
  throw error;
}

function toObserved(answer: GetTemplateResponse): ObservedTemplate | undefined {
  const { template, differences, editable, notEditableBecause, editableAt } = answer;
  if (template === undefined) return undefined;
  const { templateId, status, category, quality, rejectedReason } = template;
  return {
    templateId,
    status,
    category,
    quality,
    rejectedReason,
    differences,
    notEditableBecause,
    isEditable: editable,
    editableAt: editableAt && timestampDate(editableAt),
  };
}
