// The headers by which a client says what the Cloud dialect has no word for.
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import type { Lane } from "#admission/domain/lane.ts";
import { cloudFault } from "./errors.ts";

export type SendHeaders = {
  idempotencyKey: string | undefined;
  lane: Lane | undefined;
  /** Empty where none is named. */
  campaign: string;
  /** 0: the number's default. */
  ttlSeconds: number;
};

const longestTtlSeconds = 30 * 86_400;
const ttlFault = `must be a whole number of seconds from 1 to ${longestTtlSeconds}`;

const schema = z.object({
  "idempotency-key": z.string().max(255, "must have at most 255 characters").optional(),
  "heliograph-lane": z.enum(["reply", "bulk"], "must be reply or bulk").optional(),
  "heliograph-campaign": z.string().max(128, "must have at most 128 characters").default(""),
  "heliograph-ttl": z
    .string()
    .regex(/^\d{1,9}$/, ttlFault)
    .transform(Number)
    .pipe(z.number().min(1, ttlFault).max(longestTtlSeconds, ttlFault))
    .optional(),
});

/** An empty header counts as absent. Throws parameter_invalid. */
export function parseSendHeaders(headers: IncomingHttpHeaders): SendHeaders {
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw cloudFault("parameter_invalid", `header ${issue?.path.join("") ?? ""} ${issue?.message ?? "is not valid"}`);
  }
  const { "idempotency-key": idempotencyKey, "heliograph-lane": lane, "heliograph-campaign": campaign } = result.data;
  return { idempotencyKey, lane, campaign, ttlSeconds: result.data["heliograph-ttl"] ?? 0 };
}
