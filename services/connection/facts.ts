// Gathers what admission looks at, for a whole batch. Free-form inside a window that the ledger knows of asks nobody.
// A peer that is away leaves its facts out; nothing fails because of that.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "#lib/grpc.ts";
import type { Log } from "#lib/log.ts";
import type { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import type { QualityService, ReserveResult } from "#proto/heliograph/quality/v1/quality_pb.ts";
import {
  type Facts,
  isBusinessInitiated,
  type LimitFact,
  type TemplateFact,
  type WindowFact,
} from "./domain/admission.ts";
import { keyOfTemplate, type TemplateCache } from "./template-cache.ts";
import type { Held } from "./wire.ts";

export type FactsSource = {
  /** In the order given. */
  gather(batch: readonly Held[], wabaId: string): Promise<Facts[]>;
};

type Options = {
  phoneNumberId: string;
  templates: TemplateCache;
  billing: Client<typeof BillingService>;
  quality: Client<typeof QualityService>;
  now: () => Date;
  log: Log;
};

const windowMs = 24 * 60 * 60 * 1_000;
const deadlineMs = 2_000;

export function createFactsSource({ phoneNumberId, templates, billing, quality, now, log }: Options): FactsSource {
  const ask = createAsk(log);

  async function askTemplates(batch: readonly Held[], wabaId: string): Promise<(TemplateFact | undefined)[]> {
    const names = batch.map(templateOf);
    const wanted = names.filter((name) => name !== undefined);
    if (wanted.length === 0) return [];
    const facts = await ask("templates", () => templates.get(wabaId, wanted));
    return names.map((name) => (name === undefined ? undefined : facts?.get(keyOfTemplate(name))));
  }

  async function askWindows(batch: readonly Held[]): Promise<(WindowFact | undefined)[]> {
    const known = batch.map((held) => ledgerWindow(held, now()));
    const asked = batch.filter((_, at) => known[at] === undefined);
    if (asked.length === 0) return known;
    const users = [...new Map(asked.map((held) => [held.recipient, held.message.lastInboundAt])).entries()];
    const queries = users.map(([user, ledgerLastInboundAt]) => ({
      phoneNumberId,
      user,
      ...(ledgerLastInboundAt !== undefined && { ledgerLastInboundAt }),
    }));
    const answer = await ask("billing", () => billing.batchGetWindows({ queries }, { deadlineMs }));
    const windows = new Map(users.map(([user], at) => [user, answer?.windows[at]]));
    return batch.map((held, at) => {
      const window = windows.get(held.recipient);
      return (
        known[at] ??
        (window && { closesAt: window.closesAt === undefined ? undefined : timestampDate(window.closesAt) })
      );
    });
  }

  async function askLimits(batch: readonly Held[]): Promise<Map<string, LimitFact>> {
    if (batch.length === 0) return new Map();
    const items = batch.map(({ messageId, recipient }) => ({ messageId, user: recipient }));
    const answer = await ask("quality", () => quality.reserve({ phoneNumberId, items }, { deadlineMs }));
    return new Map(answer?.results.map((result) => [result.messageId, toLimitFact(result)]));
  }

  return {
    async gather(batch, wabaId) {
      const [templateFacts, windows] = await Promise.all([askTemplates(batch, wabaId), askWindows(batch)]);
      const facts = batch.map((_, at): Facts => {
        const template = templateFacts[at];
        const window = windows[at];
        return { ...(template !== undefined && { template }), ...(window !== undefined && { window }) };
      });
      const starting = batch.filter(({ subject }, at) => isBusinessInitiated(subject, facts[at] ?? {}, now()));
      const limits = await askLimits(starting);
      return facts.map((fact, at) => {
        const limit = limits.get(batch[at]?.messageId ?? "");
        return limit === undefined ? fact : { ...fact, limit };
      });
    },
  };
}

type Ask = <T>(peer: string, question: () => Promise<T>) => Promise<T | undefined>;

/** Undefined when the peer did not answer; told once in the log. */
function createAsk(log: Log): Ask {
  const away = new Set<string>();
  return async (peer, question) => {
    try {
      const answer = await question();
      if (away.delete(peer)) log.info({ peer }, "peer is back");
      return answer;
    } catch (error) {
      if (!away.has(peer)) log.warn({ err: error, peer }, "facts could not be had, their messages stay");
      away.add(peer);
      return undefined;
    }
  };
}

function templateOf({ message }: Held): { name: string; language: string } | undefined {
  const kind = message.content?.kind;
  return kind?.case === "template" ? kind.value : undefined;
}

/** The window by the ledger's own knowledge, where that is still open. */
function ledgerWindow({ message }: Held, now: Date): WindowFact | undefined {
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
