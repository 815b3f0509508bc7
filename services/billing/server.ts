// The RPCs of billing.
import { serve } from "#lib/grpc.ts";
import type { Queryable } from "#lib/postgres.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { afterInbound, closed, isOpen } from "./domain/window.ts";
import { loadWindows } from "./store.ts";
import { parseQueries, toWindow } from "./wire.ts";

type Dependencies = { db: Queryable; now: () => Date };

export function billingServer({ db, now }: Dependencies) {
  return serve(BillingService, {
    async batchGetWindows(request) {
      const queries = parseQueries(request);
      const stored = await loadWindows(db, queries);
      const at = now();
      return {
        windows: queries.map(({ ledgerLastInboundAt }, index) => {
          const own = stored[index] ?? closed;
          const window = ledgerLastInboundAt === undefined ? own : afterInbound(own, ledgerLastInboundAt, at);
          return toWindow(window, isOpen(window, at));
        }),
      };
    },
  });
}
