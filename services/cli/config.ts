// Where the parts of Heliograph are, as the caller says it. Flags are checked as the variables that they stand for.
import { z } from "zod";
import { filePath, natsEnv, processEnv, readEnv } from "#lib/config.ts";

const address = z.string().regex(/^[^\s/]+:\d+$/, "expected host:port");

const schema = z.object({
  /** The folder of a local run, whose run.json says where its parts are. */
  HELIOGRAPH_DATA: filePath.optional(),
  /** Base URL of the REST API. */
  GATEWAY_URL: z.url({ protocol: /^https?$/, error: "expected http://host:port" }).optional(),
  /** Holds the bearer token of the REST API. */
  API_TOKEN_FILE: filePath.optional(),
  /** host:port of the services. */
  MESSAGES_ADDRESS: address.optional(),
  QUALITY_ADDRESS: address.optional(),
  TEMPLATES_ADDRESS: address.optional(),
  NATS_URL: natsEnv.NATS_URL.optional(),
  GRPC_TLS_DIR: processEnv.GRPC_TLS_DIR,
  NATS_TLS_DIR: natsEnv.NATS_TLS_DIR,
});

export type Config = z.output<typeof schema>;

/** `flags` go before the environment. Throws ConfigError naming every fault. */
export function readConfig(env: Record<string, string | undefined>, flags: Record<string, string>): Config {
  return readEnv(schema, { ...env, ...flags });
}
