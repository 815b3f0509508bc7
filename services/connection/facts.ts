// The facts of claimed messages. Asking quality holds a place of the messaging limit for those that may go.
import type { Facts } from "#admission/domain/admission.ts";
import { createAsk, factsDeadlineMs, gatherFacts } from "#admission/facts.ts";
import type { Client } from "#lib/grpc.ts";
import type { Log } from "#lib/log.ts";
import type { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import type { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { TemplateCache } from "./template-cache.ts";
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

export function createFactsSource({ phoneNumberId, templates, billing, quality, now, log }: Options): FactsSource {
  const ask = createAsk(log);
  return {
    gather: (batch, wabaId) =>
      gatherFacts(batch, {
        phoneNumberId,
        wabaId,
        templates: templates.get,
        billing,
        async limits(items) {
          const request = { phoneNumberId, items: [...items] };
          return (await quality.reserve(request, { deadlineMs: factsDeadlineMs })).results;
        },
        ask,
        now,
      }),
  };
}
