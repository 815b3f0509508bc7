// What can be changed while the simulator runs, and the shapes in which /admin takes it.
import { z } from "zod";
import type { Config } from "./config.ts";
import type { Behaviour } from "./store.ts";
import type { World } from "./world.ts";

export type Settings = Behaviour & {
  /** From a Graph request to its answer. */
  latencyMs: number;
  /** 0 to 1: how often `read` comes without `delivered`. */
  skipDelivered: number;
  /** Every request answers 190. */
  tokenRevoked: boolean;
  /** ms since 1970; from then on every request answers 190. Null: never. */
  tokenExpiresAt: number | null;
  /** From handing a template in to the decision; `guide`: 2 to 6 hours, some a day, by its text. */
  reviewAfterMs: number | "guide";
  limits: {
    /** Messages per second of a number; null: 80, or 1,000 at throughput level HIGH; false: no limit. */
    throughput: number | false | null;
    /** One message to a user in 6 seconds, 45 at once. */
    pair: boolean;
    /** The HTTP status of 130429 and 131056. */
    httpStatus: 400 | 429;
  };
  webhook: {
    /** Undefined: nobody listens, and news is dropped. */
    url: string | undefined;
    verifyToken: string;
    /** The first retry; each further one takes twice as long. */
    retryBaseMs: number;
    retryMaxMs: number;
    giveUpAfterMs: number;
    /** Changes in one POST at most. */
    batch: number;
    /** How long changes gather while another POST is under way. */
    gatherMs: number;
    timeoutMs: number;
  };
};

const dayMs = 24 * 3_600_000;

/** What holds at the start, and after a reset. */
export function initialSettings(config: Config, { app }: World): Settings {
  return {
    deliverAfterMs: config.DELIVER_AFTER_MS,
    readAfterMs: config.READ_AFTER_MS,
    reply: null,
    offline: false,
    notOnWhatsApp: false,
    latencyMs: config.LATENCY_MS,
    skipDelivered: 0,
    tokenRevoked: false,
    tokenExpiresAt: null,
    reviewAfterMs: config.REVIEW_AFTER_MS,
    limits: { throughput: null, pair: true, httpStatus: 400 },
    webhook: {
      url: app.webhookUrl,
      verifyToken: app.verifyToken,
      retryBaseMs: config.WEBHOOK_RETRY_BASE_MS,
      retryMaxMs: config.WEBHOOK_RETRY_MAX_MS,
      giveUpAfterMs: 7 * dayMs,
      batch: 100,
      gatherMs: 5,
      timeoutMs: 10_000,
    },
  };
}

const ms = z
  .int()
  .min(0)
  .max(30 * dayMs);

const behaviour = {
  deliverAfterMs: ms,
  readAfterMs: ms.nullable(),
  reply: z.strictObject({ afterMs: ms.default(0), text: z.string().min(1) }).nullable(),
  offline: z.boolean(),
  notOnWhatsApp: z.boolean(),
};

/** PUT /admin/phones/<number>: what this phone does otherwise than the settings say. */
export const phonePatch = z.strictObject({ ...behaviour, name: z.string().min(1) }).partial();

/** PUT /admin/settings: only what is named changes. */
export const settingsPatch = z
  .strictObject({
    ...behaviour,
    latencyMs: ms,
    skipDelivered: z.number().min(0).max(1),
    tokenRevoked: z.boolean(),
    tokenExpiresAt: z.int().positive().nullable(),
    reviewAfterMs: z.union([ms, z.literal("guide")]),
    limits: z
      .strictObject({
        throughput: z.union([z.literal(false), z.null(), z.number().positive()]),
        pair: z.boolean(),
        httpStatus: z.literal([400, 429]),
      })
      .partial(),
    webhook: z
      .strictObject({
        url: z.url(),
        verifyToken: z.string(),
        retryBaseMs: ms.min(1),
        retryMaxMs: ms.min(1),
        giveUpAfterMs: ms,
        batch: z.int().min(1).max(1_000),
        gatherMs: ms,
        timeoutMs: ms.min(1),
      })
      .partial(),
  })
  .partial();

/** The settings with the changes of a patch. */
export function withPatch(settings: Settings, { limits, webhook, ...rest }: z.output<typeof settingsPatch>): Settings {
  return {
    ...merge(settings, rest),
    limits: merge(settings.limits, limits ?? {}),
    webhook: merge(settings.webhook, webhook ?? {}),
  };
}

/** Undefined in the patch leaves the value as it is. */
export function merge<T extends object>(value: T, patch: { [Key in keyof T]?: T[Key] | undefined }): T {
  const merged = { ...value };
  for (const key of Object.keys(patch)) {
    const given: unknown = Reflect.get(patch, key);
    if (given !== undefined) Reflect.set(merged, key, given);
  }
  return merged;
}

/** The limit of a number by its throughput level. */
export function throughputOf({ limits }: Settings, level: string): number | false {
  return limits.throughput ?? (level === "HIGH" ? 1_000 : 80);
}
