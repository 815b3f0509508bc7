// Templates as the templates service knows them, remembered for a minute, or until there is news of the account.
import type { TemplateFact } from "#admission/domain/admission.ts";
import { keyOfTemplate, loadTemplateFacts, type TemplateName } from "#admission/facts.ts";
import type { Client } from "#lib/grpc.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";

export type TemplateCache = {
  /** Those it knows, by `keyOfTemplate`. Throws when the templates service is away and one is not remembered. */
  get(wabaId: string, names: readonly TemplateName[]): Promise<Map<string, TemplateFact>>;
  /** Something changed: ask again. */
  drop(): void;
};

type Entry = { fact: TemplateFact; expiresAtMs: number };

const keepMs = 60_000;
// The news reaches the templates service at the same time as us: what it says right after may still be the old state.
const settleMs = 5_000;
const keepUnsettledMs = 500;
const limit = 2_000;

/** `nowMs` is monotonic. */
export function createTemplateCache({
  templates,
  nowMs,
}: {
  templates: Client<typeof TemplatesService>;
  nowMs: () => number;
}): TemplateCache {
  const entries = new Map<string, Entry>();
  let settledAtMs = 0;

  function remember(key: string, fact: TemplateFact): void {
    const now = nowMs();
    entries.delete(key);
    entries.set(key, { fact, expiresAtMs: now + (now < settledAtMs ? keepUnsettledMs : keepMs) });
    for (const oldest of entries.keys()) {
      if (entries.size <= limit) break;
      entries.delete(oldest);
    }
  }

  return {
    async get(wabaId, names) {
      const wanted = new Map(names.map((name) => [keyOfTemplate(name), name]));
      const facts = new Map<string, TemplateFact>();
      for (const key of wanted.keys()) {
        const entry = entries.get(key);
        if (entry === undefined || entry.expiresAtMs <= nowMs()) continue;
        facts.set(key, entry.fact);
        wanted.delete(key);
      }
      if (wanted.size === 0) return facts;
      for (const [key, fact] of await loadTemplateFacts(templates, wabaId, [...wanted.values()])) {
        remember(key, fact);
        facts.set(key, fact);
      }
      return facts;
    },
    drop() {
      entries.clear();
      settledAtMs = nowMs() + settleMs;
    },
  };
}
