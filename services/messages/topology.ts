// The stream of news and everyone who reads it. Made before the first publish: what nobody waits for is not kept.
import { jetstreamManager } from "@nats-io/jetstream";
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { ensureStream, type NatsConnection } from "#lib/nats.ts";

/**
 * Resolves when the stream WA and its durable consumers are there. They are made again if NATS loses them with its disk; what was
 * in them is made again by Republish.
 */
export async function keepTopology(nc: NatsConnection, replicas: number, log: Log): Promise<AsyncDisposable> {
  await ensureTopology(nc, replicas);
  const keeping = loop({
    name: "topology",
    intervalMs: lookEveryMs,
    jitter: 0.2,
    log,
    task: () => ensureTopology(nc, replicas),
  });
  void (async () => {
    for await (const { type } of nc.status()) if (type === "reconnect") keeping.wake();
  })();
  return keeping;
}

const lookEveryMs = 60_000;

/** Makes them, or brings them up to date. */
async function ensureTopology(nc: NatsConnection, replicas: number): Promise<void> {
  await ensureStream(nc, {
    name: "WA",
    subjects: ["wa.message.>", "wa.inbound.>", "wa.status.>", "wa.account.>", "wa.number.>"],
    replicas,
    consumers: [
      { durable: "templates", filterSubjects: ["wa.account.>", "wa.number.>"] },
      { durable: "billing", filterSubjects: ["wa.inbound.>"] },
      { durable: "quality", filterSubjects: ["wa.message.>", "wa.account.>", "wa.number.>"] },
      { durable: "webhooks", filterSubjects: ["wa.message.>", "wa.inbound.>", "wa.status.>", "wa.account.>"] },
    ],
  });
}

export type StreamState = {
  createdAt: Date;
  /** Of the oldest event that some reader has not acknowledged; above `lastSeq` if all have all. */
  firstSeq: number;
  lastSeq: number;
};

export async function loadStream(nc: NatsConnection): Promise<StreamState> {
  const manager = await jetstreamManager(nc, { checkAPI: false });
  const { created, state } = await manager.streams.info("WA");
  return { createdAt: new Date(created), firstSeq: state.first_seq, lastSeq: state.last_seq };
}

/** Hints outside the stream: losing one costs a renewal's time. */
export const hints = {
  /** Messages are due. */
  wake: (phoneNumberId: string) => `wa.wake.${phoneNumberId}`,
  /** The holder is asked to hand over. */
  fence: (phoneNumberId: string) => `wa.fence.${phoneNumberId}`,
  /** The lease is free. */
  lease: (phoneNumberId: string) => `wa.lease.${phoneNumberId}`,
} as const;
