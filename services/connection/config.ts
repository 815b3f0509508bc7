// Everything a connection process reads from its environment. One process holds one phone number.
import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import { z } from "zod";
import { durationMs, filePath, host, natsEnv, processEnv, readEnv } from "#lib/config.ts";

const address = z.string().regex(/^\S+:\d{1,5}$/, "expected host:port");

const schema = z
  .object({
    ...processEnv,
    ...natsEnv,
    /** Default: every address of ADVERTISED_HOST's family, or 127.0.0.1 where that one is not set either. */
    LISTEN_HOST: host.optional(),
    /** Meta's id of the number. */
    PHONE_NUMBER_ID: z.string().regex(/^\d{1,32}$/, "expected digits"),
    /** Who holds the lease: the pod's UID, or the runner's name for the process. The same holder gets it back at once. */
    HOLDER: z.string().max(256).default(`${hostname()}/${process.pid}`),
    /** The number of the pod; a lower one than the lease's may not have the number any more. */
    EPOCH: z.coerce.number().int().min(1).default(1),
    /** Ask a holder of the same epoch to drain and release. Also the argument --take-over. */
    TAKE_OVER: z.stringbool().default(false),
    /** Under which host others reach this process; an IPv6 address without brackets, as Kubernetes tells it. Default: LISTEN_HOST. */
    ADVERTISED_HOST: host.optional(),
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
  .refine(({ LISTEN_HOST, ADVERTISED_HOST }) => ADVERTISED_HOST !== undefined || !isWildcard(LISTEN_HOST), {
    path: ["ADVERTISED_HOST"],
    message: "must be set when LISTEN_HOST is every address",
  });

function isWildcard(name: string | undefined): boolean {
  return name === "0.0.0.0" || name === "::";
}

function listenHostFor(advertised: string | undefined): string {
  if (advertised === undefined) return "127.0.0.1";
  return isIPv6(advertised) ? "::" : "0.0.0.0";
}

export type Config = z.infer<typeof schema> & Record<"LISTEN_HOST" | "ADVERTISED_HOST", string>;

/** Throws with every fault listed. */
export function readConfig(
  env: Record<string, string | undefined> = process.env,
  argv: readonly string[] = [],
): Config {
  const config = readEnv(schema, env);
  const { LISTEN_HOST = listenHostFor(config.ADVERTISED_HOST), ADVERTISED_HOST = LISTEN_HOST } = config;
  const TAKE_OVER = config.TAKE_OVER || argv.includes("--take-over");
  return { ...config, LISTEN_HOST, ADVERTISED_HOST, TAKE_OVER };
}
