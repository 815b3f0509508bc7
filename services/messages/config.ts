// Everything messages reads from its environment.
import { z } from "zod";
import { ConfigError, databaseEnv, durationMs, natsEnv, peerAddress, processEnv, readEnv } from "#lib/config.ts";

const schema = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** Whom Explain asks what admission asks. A connection's address is in its lease. */
  TEMPLATES_ADDRESS: peerAddress,
  BILLING_ADDRESS: peerAddress,
  QUALITY_ADDRESS: peerAddress,
  /** Copies of the stream WA: 1, or 3 on a NATS cluster. */
  NATS_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  /** How long a lease lives without a renewal. */
  LEASE_MS: durationMs.default(15_000),
  /** How often a holder renews. */
  RENEW_EVERY_MS: durationMs.default(5_000),
  /** A holder sends nothing more this long after the start of its last good renewal; well before its lease runs out. */
  STOP_AFTER_MS: durationMs.default(10_000),
  /** After how long without a Finish nobody knows any more what became of a message. */
  FINISH_TIMEOUT_MS: durationMs.default(60_000),
  /** How long it is kept what was said, counted from the end of its day; then the day goes within six hours. */
  CONTENT_DAYS: z.coerce.number().int().min(1).default(30),
  /** The same for ids, states and times of our messages. A message may live 30 days, and its last status come 30 days later. */
  MESSAGE_DAYS: z.coerce.number().int().min(61).default(90),
  /**
   * After a lossy failover or a restore: nothing that was committed before this time is lost. What may have been sent since is made
   * unknown before anyone is served, once. See docs/recovery.md.
   */
  RECOVER_SINCE: z.iso
    .datetime({ offset: true })
    .transform((time) => new Date(time))
    .optional(),
  /** How often contents of pass-through numbers are looked after. */
  FORGET_EVERY_MS: durationMs.default(10_000),
  /** Where traces go; empty: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
});

export type Config = z.infer<typeof schema>;

/** Throws with every fault listed. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const config = readEnv(schema, env);
  const { RENEW_EVERY_MS, STOP_AFTER_MS, LEASE_MS, CONTENT_DAYS, MESSAGE_DAYS } = config;
  const faults: string[] = [];
  if (RENEW_EVERY_MS >= STOP_AFTER_MS || STOP_AFTER_MS >= LEASE_MS) {
    faults.push("RENEW_EVERY_MS must be less than STOP_AFTER_MS, and that less than LEASE_MS");
  }
  if (CONTENT_DAYS > MESSAGE_DAYS) faults.push("CONTENT_DAYS must be at most MESSAGE_DAYS");
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}
