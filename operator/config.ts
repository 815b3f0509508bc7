// Everything the operator reads from its environment and its command line.
import { parseArgs } from "node:util";
import { z } from "zod";
import { ConfigError, durationMs, natsEnv, peerAddress, processEnv, readEnv } from "#lib/config.ts";

const { LISTEN_HOST, HTTP_PORT, LOG_LEVEL, GRPC_TLS_DIR } = processEnv;
const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "expected a name of Kubernetes");
const secretName = z.string().regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, "expected the name of a Secret");
const servicesFromPods = peerAddress.optional();

const schema = z.object({
  LISTEN_HOST,
  HTTP_PORT,
  LOG_LEVEL,
  GRPC_TLS_DIR,
  MESSAGES_ADDRESS: peerAddress,
  TEMPLATES_ADDRESS: peerAddress,
  BILLING_ADDRESS: peerAddress,
  QUALITY_ADDRESS: peerAddress,
  WEBHOOKS_ADDRESS: peerAddress,
  /** The same as connection pods reach them; an operator on a laptop goes other ways. Default: as the operator does. */
  CONNECTION_MESSAGES_ADDRESS: servicesFromPods,
  CONNECTION_TEMPLATES_ADDRESS: servicesFromPods,
  CONNECTION_BILLING_ADDRESS: servicesFromPods,
  CONNECTION_QUALITY_ADDRESS: servicesFromPods,
  /** For the connection pods; the operator itself hears news of accounts sooner by it, and does without where it cannot reach it. */
  ...natsEnv,
  /** Of connection pods whose class names none. */
  CONNECTION_IMAGE: z.string().min(1).max(512),
  CONNECTION_SERVICE_ACCOUNT: name.optional(),
  /** Secrets with ca.crt, tls.crt and tls.key in the namespaces of numbers, mounted in connection pods; empty: plain. */
  CONNECTION_GRPC_TLS_SECRET: secretName.optional(),
  CONNECTION_NATS_TLS_SECRET: secretName.optional(),
  /** WhatsApp's Graph API for accounts that name none; empty: Meta's. */
  UPSTREAM_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Of this release, as pods show it in a label. */
  HELIOGRAPH_VERSION: z
    .string()
    .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, "expected the value of a label")
    .default("dev"),
  /** The one namespace whose resources are looked after; empty: all. Also the argument --namespace. */
  WATCH_NAMESPACE: name.optional(),
  /** Where the leader's Lease is. Default: the namespace of the kubeconfig's context, or the pod's own. */
  LEASE_NAMESPACE: name.optional(),
  LEASE_NAME: name.default("heliograph-operator"),
  /** A leader that could not renew for RENEW_DEADLINE_MS stops; others wait LEASE_SECONDS. */
  LEASE_SECONDS: z.coerce.number().int().min(1).default(15),
  RENEW_DEADLINE_MS: durationMs.min(100).default(10_000),
  RETRY_MS: durationMs.min(10).default(2_000),
  /** A messages service whose stream is broken for less is not away. */
  AWAY_AFTER_MS: durationMs.default(10_000),
  /** How old may be what is known of a Secret; a change is noticed within one and a quarter of it. */
  SECRETS_EVERY_MS: durationMs.min(100).default(20_000),
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema> & { kubeconfig: string | undefined; context: string | undefined };

export const help = `Usage: npm run operator -- [options]

Looks after WhatsAppNumbers and their family in a Kubernetes cluster: the one it runs in, or any that a kubeconfig names.
What it needs of the services is in the environment; operator/config.ts lists every variable.

  --kubeconfig PATH    instead of KUBECONFIG, the pod's own account or ~/.kube/config
  --context NAME       instead of the kubeconfig's current context
  --namespace NAME     look after this namespace only
  --help               this text
`;

/** Throws with every fault listed. */
export function readConfig(
  env: Record<string, string | undefined> = process.env,
  argv: readonly string[] = [],
): Config {
  const args = readArgs(argv);
  const config = readEnv(schema, { ...env, ...(args.namespace !== undefined && { WATCH_NAMESPACE: args.namespace }) });
  const { RETRY_MS, RENEW_DEADLINE_MS, LEASE_SECONDS } = config;
  if (RETRY_MS * 1.2 >= RENEW_DEADLINE_MS || RENEW_DEADLINE_MS >= LEASE_SECONDS * 1_000) {
    throw new ConfigError(["1.2 RETRY_MS must be less than RENEW_DEADLINE_MS, and that less than LEASE_SECONDS"]);
  }
  return { ...config, kubeconfig: args.kubeconfig, context: args.context };
}

function readArgs(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const options = { kubeconfig: text, context: text, namespace: text } as const;
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}
