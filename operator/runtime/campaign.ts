// One candidate's dealings with the Lease object: reads it, watches by its own clock how long it stays as it is, writes it.
import { hasStatus } from "./api-error.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { decideLease, leases, type LeaseSpec, readLease } from "./lease.ts";
import { toMicroTime } from "./micro-time.ts";
import type { KubeObject, Wish } from "./objects.ts";

type CampaignOptions = {
  client: Client;
  namespace: string;
  /** Of the Lease. */
  name: string;
  identity: string;
  leaseSeconds: number;
  clock: Clock;
};

export type Campaign = {
  /** The term if the lease is ours now, undefined if it is another's. Rejects if nobody knows. */
  attempt(signal: AbortSignal): Promise<number | undefined>;
  /** Gives the lease back, so that the next candidate need not wait. */
  release(): Promise<void>;
};

const unheld: LeaseSpec = { holderIdentity: "", leaseDurationSeconds: 0, leaseTransitions: 0 };

export function createCampaign(options: CampaignOptions): Campaign {
  const { client, namespace, name, identity, leaseSeconds, clock } = options;
  /** As last read or written, and when it became so. */
  let seen: { object: KubeObject; sinceMs: number } | undefined;

  function see(object: KubeObject): void {
    if (seen?.object.metadata.resourceVersion === object.metadata.resourceVersion) return;
    seen = { object, sinceMs: clock.monotonicMs() };
  }

  async function read(signal?: AbortSignal): Promise<void> {
    const object = await client.get(leases, `${namespace}/${name}`, { signal });
    if (object === undefined) seen = undefined;
    else see(object);
  }

  const isOurs = (): boolean => seen !== undefined && readLease(seen.object).holderIdentity === identity;

  /** Compare and swap against what was seen. */
  async function write(spec: LeaseSpec, signal?: AbortSignal): Promise<void> {
    const resourceVersion = seen?.object.metadata.resourceVersion;
    const metadata = { namespace, name, ...(resourceVersion !== undefined && { resourceVersion }) };
    const lease: Wish = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    see(
      await (seen === undefined ? client.create(leases, lease, { signal }) : client.replace(leases, lease, { signal })),
    );
  }

  async function take(signal: AbortSignal): Promise<number | undefined> {
    const spec = decideLease({
      lease: seen === undefined ? unheld : readLease(seen.object),
      identity,
      unchangedForMs: seen === undefined ? 0 : clock.monotonicMs() - seen.sinceMs,
      leaseSeconds,
      now: toMicroTime(clock.wallMs()),
    });
    if (spec !== undefined) await write(spec, signal);
    return spec?.leaseTransitions;
  }

  return {
    async attempt(signal) {
      if (!isOurs()) await read(signal);
      try {
        return await take(signal);
      } catch (error) {
        if (!hasStatus(error, 404, 409)) throw error;
        await read(signal);
        return isOurs() ? take(signal) : undefined;
      }
    },
    async release() {
      // A renewal that was broken off may have been stored.
      await read();
      if (seen === undefined || !isOurs()) return;
      const renewTime = toMicroTime(clock.wallMs());
      await write({ ...readLease(seen.object), holderIdentity: "", leaseDurationSeconds: 1, renewTime });
    },
  };
}
