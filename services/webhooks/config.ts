// Everything webhooks reads from its environment.
import { z } from "zod";
import { databaseEnv, durationMs, natsEnv, processEnv, readEnv } from "#lib/config.ts";

const hours = z.coerce.number().int().min(1);

const schema = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** Told to receivers in User-Agent. */
  HELIOGRAPH_VERSION: z.string().default("dev"),
  /** The first step between attempts; each further one is twice as long. */
  RETRY_BASE_MS: durationMs.default(1_000),
  /** The longest step. */
  RETRY_CAP_MS: durationMs.default(900_000),
  /** How much longer than its deadline a delivery belongs to the process that sends it. After a crash it is tried again then. */
  LEASE_SLACK_MS: durationMs.default(5_000),
  /** How often the table is searched for what a dead process left. */
  SEARCH_INTERVAL_MS: durationMs.default(5_000),
  /** How long posts that are under way when the process is told to stop may take to end. */
  DRAIN_MS: durationMs.max(5_000).default(3_000),
  KEEP_DELIVERED_HOURS: hours.default(168),
  KEEP_DEAD_HOURS: hours.default(720),
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  return readEnv(schema, env);
}
