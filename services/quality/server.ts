// The RPCs of quality.
import { ServiceError } from "#lib/errors.ts";
import { serve } from "#lib/grpc.ts";
import type { Pool } from "#lib/postgres.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { Metrics } from "./metrics.ts";
import { previewReserve } from "./preview.ts";
import type { Refresh } from "./refresh.ts";
import { reserve } from "./reserve.ts";
import { loadNumber, type NumberView } from "./store.ts";
import { parsePhoneNumberId, parseReserve, toNumberQuality, toPreview, toReserveResult } from "./wire.ts";

type Dependencies = { db: Pool; now: () => Date; refresh: Refresh; metrics: Metrics };

export function qualityServer({ db, now, refresh, metrics }: Dependencies) {
  return serve(QualityService, {
    async reserve(request) {
      const { phoneNumberId, items } = parseReserve(request);
      const verdicts = await reserve(db, { phoneNumberId, items }, now());
      for (const verdict of verdicts) {
        metrics.reserves.inc({ verdict: verdict.kind === "refused" ? verdict.reason : verdict.kind });
      }
      return { results: verdicts.map((verdict, index) => toReserveResult(items[index]?.messageId ?? "", verdict)) };
    },

    async previewReserve(request) {
      const { phoneNumberId, items } = parseReserve(request);
      return toPreview(items, await previewReserve(db, { phoneNumberId, items }, now()));
    },

    async getNumberQuality(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      return { quality: toNumberQuality(await getNumber(phoneNumberId)) };
    },

    async refreshNumber(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      await refresh.refreshNumber(phoneNumberId);
      return { quality: toNumberQuality(await getNumber(phoneNumberId)) };
    },
  });

  async function getNumber(phoneNumberId: string): Promise<NumberView> {
    const view = await loadNumber(db, phoneNumberId, now());
    if (view?.observedAt !== undefined) return view;
    throw new ServiceError("NOT_FOUND", "number_unknown", `nothing is known of number ${phoneNumberId} yet`);
  }
}
