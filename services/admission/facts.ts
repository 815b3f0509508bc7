// Gathers what admission looks at, for a whole batch of one number. Free-form inside a window that the ledger knows of asks nobody.
// A peer that is away leaves its facts out; nothing fails because of that. How quality is asked is the caller's: a message that
// goes takes a place, a question takes none.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "#lib/grpc.ts";
import type { Log } from "#lib/log.ts";
import type { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import type { ClaimedMessage } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { ReserveResult } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import {
  type Facts,
  isBusinessInitiated,
  type LimitFact,
  type Subject,
  type TemplateFact,
  type WindowFact,
} from "./domain/admission.ts";

/** A message that admission is to judge. */
export type Candidate = {
  messageId: string;
  recipient: string;
  subject: Subject;
  message: Pick<ClaimedMessage, "content" | "lastInboundAt">;
};

export type TemplateName = { name: string; language: string };

/** Undefined when the peer did not answer. */
export type Ask = <T>(peer: string, question: () => Promise<T>) => Promise<T | undefined>;

export type LimitQuestion = { messageId: string; user: string };

export type FactPeers = {
  phoneNumberId: string;
  wabaId: string;
  /** By `keyOfTemplate`, for each that was asked. */
  templates: (wabaId: string, names: readonly TemplateName[]) => Promise<ReadonlyMap<string, TemplateFact>>;
  billing: Pick<Client<typeof BillingService>, "batchGetWindows">;
  /** Asks quality whether these may start a conversation. */
  limits: (items: readonly LimitQuestion[]) => Promise<readonly ReserveResult[]>;
  ask: Ask;
  now: () => Date;
};

const windowMs = 24 * 60 * 60 * 1_000;

/** Of every question of admission's to a peer. */
export const factsDeadlineMs = 2_000;

/** In the order given. */
export async function gatherFacts(batch: readonly Candidate[], peers: FactPeers): Promise<Facts[]> {
  const [templates, windows] = await Promise.all([askTemplates(batch, peers), askWindows(batch, peers)]);
  const facts = batch.map((_, at): Facts => {
    const template = templates[at];
    const window = windows[at];
    return { ...(template !== undefined && { template }), ...(window !== undefined && { window }) };
  });
  const starting = batch.filter(({ subject }, at) => isBusinessInitiated(subject, facts[at] ?? {}, peers.now()));
  const limits = await askLimits(starting, peers);
  return facts.map((fact, at) => {
    const limit = limits.get(batch[at]?.messageId ?? "");
    return limit === undefined ? fact : { ...fact, limit };
  });
}

async function askTemplates(
  batch: readonly Candidate[],
  { wabaId, templates, ask }: FactPeers,
): Promise<(TemplateFact | undefined)[]> {
  const names = batch.map(templateOf);
  const wanted = names.filter((name) => name !== undefined);
  if (wanted.length === 0) return [];
  const facts = await ask("templates", () => templates(wabaId, wanted));
  return names.map((name) => (name === undefined ? undefined : facts?.get(keyOfTemplate(name))));
}

async function askWindows(
  batch: readonly Candidate[],
  { phoneNumberId, billing, ask, now }: FactPeers,
): Promise<(WindowFact | undefined)[]> {
  const known = batch.map((candidate) => ledgerWindow(candidate, now()));
  const asked = batch.filter((_, at) => known[at] === undefined);
  if (asked.length === 0) return known;
  const users = [...new Map(asked.map(({ recipient, message }) => [recipient, message.lastInboundAt])).entries()];
  const queries = users.map(([user, ledgerLastInboundAt]) => ({
    phoneNumberId,
    user,
    ...(ledgerLastInboundAt !== undefined && { ledgerLastInboundAt }),
  }));
  const answer = await ask("billing", () => billing.batchGetWindows({ queries }, { deadlineMs: factsDeadlineMs }));
  const windows = new Map(users.map(([user], at) => [user, answer?.windows[at]]));
  return batch.map(({ recipient }, at) => {
    const window = windows.get(recipient);
    return (
      known[at] ?? (window && { closesAt: window.closesAt === undefined ? undefined : timestampDate(window.closesAt) })
    );
  });
}

async function askLimits(
  batch: readonly Candidate[],
  { limits, ask }: FactPeers,
): Promise<ReadonlyMap<string, LimitFact>> {
  if (batch.length === 0) return new Map();
  const items = batch.map(({ messageId, recipient }) => ({ messageId, user: recipient }));
  const results = await ask("quality", () => limits(items));
  return new Map(results?.map((result) => [result.messageId, toLimitFact(result)]));
}

/** Tells once in the log that a peer is away, and once that it is back. */
export function createAsk(log: Log): Ask {
  const away = new Set<string>();
  return async (peer, question) => {
    try {
      const answer = await question();
      if (away.delete(peer)) log.info({ peer }, "peer is back");
      return answer;
    } catch (error) {
      if (!away.has(peer)) log.warn({ err: error, peer }, "peer is away, its facts cannot be had");
      away.add(peer);
      return undefined;
    }
  };
}

export function keyOfTemplate({ name, language }: TemplateName): string {
  return `${name}\n${language}`;
}

/** What the templates service knows of them now, by `keyOfTemplate`; those that it does not know are missing. Throws when it is away. */
export async function loadTemplateFacts(
  templates: Pick<Client<typeof TemplatesService>, "batchGetTemplates">,
  wabaId: string,
  names: readonly TemplateName[],
): Promise<Map<string, TemplateFact>> {
  const wanted = new Map(names.map((name) => [keyOfTemplate(name), name]));
  const keys = [...wanted.values()].map(({ name, language }) => ({ wabaId, name, language }));
  const answer = await templates.batchGetTemplates({ keys }, { deadlineMs: factsDeadlineMs });
  const found = new Map(answer.templates.map((template) => [keyOfTemplate(template), template]));
  return new Map(
    [...wanted.keys()].map((key): [string, TemplateFact] => {
      const template = found.get(key);
      if (template === undefined) return [key, { state: "missing" }];
      return [key, { state: "known", status: template.status, category: template.category }];
    }),
  );
}

function templateOf({ message }: Candidate): TemplateName | undefined {
  const kind = message.content?.kind;
  return kind?.case === "template" ? kind.value : undefined;
}

/** The window by the ledger's own knowledge, where that is still open. */
function ledgerWindow({ message }: Candidate, now: Date): WindowFact | undefined {
  if (message.lastInboundAt === undefined) return undefined;
  const closesAt = new Date(timestampDate(message.lastInboundAt).getTime() + windowMs);
  return closesAt > now ? { closesAt } : undefined;
}

function toLimitFact({ verdict }: ReserveResult): LimitFact {
  if (verdict.case !== "refusal") return { state: "held" };
  return {
    state: "refused",
    reason: verdict.value.reason === "number_restricted" ? "number_restricted" : "limit_reached",
  };
}
