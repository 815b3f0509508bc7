// The stream of news and everyone who reads it. Made before the first publish: what nobody waits for is not kept.
import { ensureStream, type NatsConnection } from "#lib/nats.ts";

/** Makes the stream WA with its durable consumers, or brings them up to date. */
export async function ensureTopology(nc: NatsConnection, replicas: number): Promise<void> {
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

/** Hints outside the stream: losing one costs a renewal's time. */
export const hints = {
  /** Messages are due. */
  wake: (phoneNumberId: string) => `wa.wake.${phoneNumberId}`,
  /** The holder is asked to hand over. */
  fence: (phoneNumberId: string) => `wa.fence.${phoneNumberId}`,
  /** The lease is free. */
  lease: (phoneNumberId: string) => `wa.lease.${phoneNumberId}`,
} as const;
