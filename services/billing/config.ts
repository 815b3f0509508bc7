// Everything billing reads from its environment.
import { z } from "zod";
import { databaseEnv, natsEnv, processEnv, readEnv } from "#lib/config.ts";

const schema = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  return readEnv(schema, env);
}
