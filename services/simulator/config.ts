// The simulator's environment. What /admin/settings can change starts with these values.
import { z } from "zod";
import { durationMs, filePath, port, processEnv, readEnv } from "#lib/config.ts";

const { LISTEN_HOST, HTTP_PORT, LOG_LEVEL } = processEnv;

const schema = z.object({
  LISTEN_HOST,
  HTTP_PORT,
  LOG_LEVEL,
  /** Graph API and /admin. */
  API_PORT: port.default(0),
  /** The world as YAML or JSON; without it, default-world.json. */
  SEED_FILE: filePath.optional(),
  /** Of everything that happens by chance. */
  SEED: z.coerce.number().int().min(0).default(1),
  /** Instead of the world's: the one access token, the app's secret, the callback URL and its verify token. */
  ACCESS_TOKEN_FILE: filePath.optional(),
  APP_SECRET_FILE: filePath.optional(),
  WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  VERIFY_TOKEN_FILE: filePath.optional(),
  /** From a Graph request to its answer. */
  LATENCY_MS: durationMs.default(0),
  /** From acceptance to the user's phone. */
  DELIVER_AFTER_MS: durationMs.default(150),
  /** From there until the user reads; `off`: read receipts are off. */
  READ_AFTER_MS: z.union([z.literal("off").transform(() => null), durationMs]).default(400),
  /** From handing a template in to the decision on it; `guide`: 2 to 6 hours, some a day. */
  REVIEW_AFTER_MS: z.union([z.literal("guide"), durationMs]).default(3_000),
  /** The first retry of a webhook; each further one takes twice as long, up to the next. */
  WEBHOOK_RETRY_BASE_MS: durationMs.default(1_000),
  WEBHOOK_RETRY_MAX_MS: durationMs.default(60_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
});

export type Config = z.output<typeof schema>;

/** Throws ConfigError naming every fault. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  return readEnv(schema, env);
}
