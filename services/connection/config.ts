// Everything a connection process reads from its environment. One process holds one phone number.
import { hostname } from "node:os";
import { z } from "zod";
import { durationMs, filePath, natsEnv, processEnv, readEnv } from "#lib/config.ts";

const address = z.string().regex(/^\S+:\d{1,5}$/, "expected host:port");

const schema = z
  .object({
    ...processEnv,
    ...natsEnv,
    /** Meta's id of the number. */
    PHONE_NUMBER_ID: z.string().regex(/^\d{1,32}$/, "expected digits"),
    /** Who holds the lease: the pod's UID, or the runner's name for the process. The same holder gets it back at once. */
    HOLDER: z.string().max(256).default(`${hostname()}/${process.pid}`),
    /** The number of the pod; a lower one than the lease's may not have the number any more. */
    EPOCH: z.coerce.number().int().min(1).default(1),
    /** Ask a holder of the same epoch to drain and release. Also the argument --take-over. */
    TAKE_OVER: z.stringbool().default(false),
    /** Under which host:port others reach this process. Default: LISTEN_HOST and the gRPC port that was bound. */
    ADVERTISED_ADDRESS: address.optional(),
    MESSAGES_ADDRESS: address,
    TEMPLATES_ADDRESS: address,
    BILLING_ADDRESS: address,
    QUALITY_ADDRESS: address,
    /** WhatsApp's Graph API, or the simulator. */
    UPSTREAM_URL: z.url({ protocol: /^https?$/ }).default("https://graph.facebook.com"),
    UPSTREAM_VERSION: z
      .string()
      .regex(/^v\d{1,3}\.\d$/, "expected a version such as v24.0")
      .default("v24.0"),
    /** The account's access token; read again when the file changes. */
    ACCESS_TOKEN_FILE: filePath,
    /** From the start of a request to the end of its answer; then its outcome is unknown. */
    UPSTREAM_TIMEOUT_MS: durationMs.min(1).default(30_000),
    UPSTREAM_CONNECT_TIMEOUT_MS: durationMs.min(1).default(5_000),
    /** Messages at WhatsApp at one time, which is also the most connections to it. */
    IN_FLIGHT_LIMIT: z.coerce.number().int().min(1).max(1_000).default(64),
    /** Messages in memory per lane; a slow number holds fewer, one whose facts cannot be had up to four times as many. */
    HELD_LIMIT: z.coerce.number().int().min(1).max(10_000).default(256),
    /** How long a hand-over waits for what is at WhatsApp. Together with reporting it must fit into the 8 s of a stop. */
    DRAIN_MS: durationMs.max(5_000).default(4_000),
    /** Where traces go; empty: nowhere. */
    OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  })
  .refine(({ LISTEN_HOST, ADVERTISED_ADDRESS }) => ADVERTISED_ADDRESS !== undefined || !isWildcard(LISTEN_HOST), {
    path: ["ADVERTISED_ADDRESS"],
    message: "must be set when LISTEN_HOST is every address",
  });

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(
  env: Record<string, string | undefined> = process.env,
  argv: readonly string[] = [],
): Config {
  const config = readEnv(schema, env);
  return argv.includes("--take-over") ? { ...config, TAKE_OVER: true } : config;
}
