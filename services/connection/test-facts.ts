// The peers of a connection process that know facts, scripted: real gRPC handlers over maps that a test fills.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { serve, type Service } from "#lib/grpc.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { QualityService, type ReserveResultSchema } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";

/** Templates, billing and quality: what they answer is set by the test. */
export class FactPeers {
  /** Status by name; a name that is missing is unknown. */
  readonly templates = new Map([["order_update", "APPROVED"]]);
  /** When the window of a user closes. */
  readonly windows = new Map<string, Date>();
  /** Users for whom there is no place in the limit. */
  readonly overLimit = new Set<string>();
  readonly calls = { templates: 0, billing: 0, quality: 0 };
  readonly away = new Set<keyof FactPeers["calls"]>();

  services(): Service[] {
    return [
      serve(TemplatesService, {
        batchGetTemplates: async ({ keys }) => {
          this.#count("templates");
          const known = keys.filter(({ name }) => this.templates.has(name));
          return {
            templates: known.map(({ wabaId: account, name, language }) => ({
              wabaId: account,
              name,
              language,
              status: this.templates.get(name) ?? "",
            })),
          };
        },
      }),
      serve(BillingService, {
        batchGetWindows: async ({ queries }) => {
          this.#count("billing");
          return {
            windows: queries.map(({ user }) => {
              const closesAt = this.windows.get(user);
              return closesAt === undefined
                ? { open: false }
                : { open: closesAt > new Date(), closesAt: timestampFromDate(closesAt) };
            }),
          };
        },
      }),
      serve(QualityService, {
        reserve: async ({ items }) => {
          this.#count("quality");
          return { results: items.map(({ messageId, user }) => this.#reserve(messageId, user)) };
        },
      }),
    ];
  }

  #reserve(messageId: string, user: string): MessageInitShape<typeof ReserveResultSchema> {
    if (!this.overLimit.has(user)) return { messageId, verdict: { case: "reserved", value: {} } };
    return { messageId, verdict: { case: "refusal", value: { reason: "limit_reached" } } };
  }

  #count(peer: keyof FactPeers["calls"]): void {
    this.calls[peer] += 1;
    if (this.away.has(peer)) throw new ServiceError("UNAVAILABLE", "stopping", `${peer} is away`);
  }
}
