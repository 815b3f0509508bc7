// What stands in for the connection processes, since kwok runs none: their leases are acquired, renewed and handed over at the real
// messages service by the real calls, all from this process, and one Upstream service answers for all of them.
import { Registry } from "prom-client";
import { type Client, createClient, serve, startGrpc } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import type { SeenPod } from "./followed.ts";

export type StandIns = AsyncDisposable & {
  /** The pod's process has started: it asks for the number, and whoever holds it hands it over. */
  begin(pod: SeenPod): void;
  /** The pod's process ends: it gives its lease back. */
  end(pod: SeenPod): void;
  /** What went wrong, by what was said. */
  faults(): Record<string, number>;
};

type Lease = { podUid: string; term: bigint; renewAtMs: number };

const tickMs = 100;
const triesAtMost = 5;

export async function startStandIns(messagesAddress: string): Promise<StandIns> {
  await using opened = new AsyncDisposableStack();
  const messages = opened.use(createClient(MessagesService, messagesAddress, { deadlineMs: 30_000 }));
  const upstream = opened.use(
    await startGrpc({
      host: "127.0.0.1",
      port: 0,
      services: [upstreamOfAll()],
      log: testLog,
      registry: new Registry(),
      reflection: false,
    }),
  );
  const holders = createHolders(messages, upstream.address);
  const timer = setInterval(() => holders.renewDue(), tickMs);
  opened.defer(() => clearInterval(timer));
  const running = opened.move();
  return { ...holders, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function createHolders(messages: Client<typeof MessagesService>, address: string) {
  const leases = new Map<string, Lease>();
  const faults = new Map<string, number>();
  const asked = new Set<string>();
  const note = (what: string) => (error: unknown) => {
    const text = `${what}: ${error instanceof Error ? error.message.replaceAll(/\d+/g, "N") : String(error)}`;
    faults.set(text, (faults.get(text) ?? 0) + 1);
  };

  /** As two processes do it, without their way over NATS: the second asks, the first is told, releases, the second asks again. */
  async function acquire({ phoneNumberId, epoch, metadata }: SeenPod): Promise<void> {
    const holder = metadata.uid;
    for (let tries = 0; tries < triesAtMost; tries += 1) {
      const { result } = await messages.acquire({
        phoneNumberId,
        holder,
        bootId: holder,
        epoch: BigInt(epoch),
        address,
      });
      if (result.case === "granted") {
        const { term, renewEveryMs } = result.value;
        // The first renewal at a random time, as processes that did not start together have it.
        const renewAtMs = performance.now() + renewEveryMs * Math.random();
        leases.set(phoneNumberId, { podUid: holder, term, renewAtMs });
        return;
      }
      await release(phoneNumberId);
    }
    throw new Error("the lease was not granted");
  }

  async function release(phoneNumberId: string): Promise<void> {
    const held = leases.get(phoneNumberId);
    leases.delete(phoneNumberId);
    if (held !== undefined) await messages.release({ phoneNumberId, term: held.term });
  }

  async function renew(phoneNumberId: string, lease: Lease, everyMs: number): Promise<void> {
    lease.renewAtMs = performance.now() + everyMs;
    await messages.renew({ phoneNumberId, term: lease.term, standing: "" });
  }

  return {
    begin(pod: SeenPod): void {
      if (asked.has(pod.metadata.uid)) return;
      asked.add(pod.metadata.uid);
      acquire(pod).catch(note("acquire"));
    },
    end({ phoneNumberId, metadata }: SeenPod): void {
      if (leases.get(phoneNumberId)?.podUid === metadata.uid) release(phoneNumberId).catch(note("release"));
    },
    renewDue(): void {
      const nowMs = performance.now();
      for (const [phoneNumberId, lease] of leases) {
        if (lease.renewAtMs <= nowMs) renew(phoneNumberId, lease, leaseTimes.renewEveryMs).catch(note("renew"));
      }
    },
    faults: () => Object.fromEntries(faults),
  };
}

/**
 * Eight times as long as in production: 5,000 processes of their own renew by themselves, which costs them and messages, and neither
 * the operator nor what is measured of it.
 */
export const leaseTimes = { leaseMs: 120_000, stopAfterMs: 80_000, renewEveryMs: 40_000 };

/** WhatsApp's answers about any number and any account. */
function upstreamOfAll() {
  return serve(UpstreamService, {
    getPhoneNumber: () =>
      Promise.resolve({
        verifiedName: "Fjord Coffee",
        status: "CONNECTED",
        qualityRating: "GREEN",
        messagingLimitTier: "TIER_1K",
        throughputLevel: "STANDARD",
        nameStatus: "APPROVED",
        codeVerificationStatus: "VERIFIED",
        platformType: "CLOUD_API",
      }),
    checkToken: () => Promise.resolve({ valid: true }),
    getAccount: () =>
      Promise.resolve({
        name: "Fjord Coffee",
        currency: "EUR",
        businessVerificationStatus: "verified",
        accountReviewStatus: "APPROVED",
        canSendMessage: "AVAILABLE",
      }),
    listSubscribedApps: () => Promise.resolve({ apps: [{ appId: "1", name: "Heliograph" }] }),
    subscribeApp: () => Promise.resolve({}),
    listPhoneNumbers: () => Promise.resolve({ phoneNumbers: [] }),
  });
}
