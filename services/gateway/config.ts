// Everything the gateway reads from its environment.
import { z } from "zod";
import { databaseEnv, filePath, peerAddress, port, processEnv, readEnv } from "#lib/config.ts";

const { LISTEN_HOST, HTTP_PORT, LOG_LEVEL, GRPC_TLS_DIR } = processEnv;

const schema = z.object({
  LISTEN_HOST,
  HTTP_PORT,
  LOG_LEVEL,
  GRPC_TLS_DIR,
  ...databaseEnv,
  /** Where clients and Meta's webhooks arrive. */
  API_PORT: port.default(0),
  MESSAGES_ADDRESS: peerAddress,
  TEMPLATES_ADDRESS: peerAddress,
  /** Bearer tokens of API clients, one a line. A token taken out of the file is revoked. */
  API_TOKEN_FILE: filePath,
  /** A folder with one app secret in each file; any of them may have signed a webhook. */
  META_APP_SECRETS_DIR: filePath,
  /** The text that Meta must show when it verifies the webhook address. */
  META_VERIFY_TOKEN_FILE: filePath,
  API_BODY_LIMIT_KIB: z.coerce.number().int().min(1).max(65_536).default(256),
  /** Meta writes at most 3 MB. */
  WEBHOOK_BODY_LIMIT_KIB: z.coerce.number().int().min(1).max(65_536).default(3_072),
  /** Requests, and bytes of their bodies, that may be in work at a time; what comes on top is refused as overloaded. */
  IN_FLIGHT_REQUESTS: z.coerce.number().int().min(1).default(2_000),
  IN_FLIGHT_MIB: z.coerce.number().int().min(1).default(128),
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  return readEnv(schema, env);
}
