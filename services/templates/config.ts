// Everything templates reads from its environment.
import { z } from "zod";
import { databaseEnv, durationMs, natsEnv, peerAddress, processEnv, readEnv } from "#lib/config.ts";

const schema = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** host:port of the messages service, which knows where the numbers are connected. */
  MESSAGES_ADDRESS: peerAddress,
  /** How often an account is read from WhatsApp without any news of it. Stretched by up to a tenth, at random. */
  SYNC_EVERY_MS: durationMs.min(1_000).default(3_600_000),
  /** How often it is looked for accounts that are due; news are followed at once. */
  SYNC_POLL_MS: durationMs.min(10).default(5_000),
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  return readEnv(schema, env);
}
