// The coordination.k8s.io Lease, and the decision what to write into it.
import { isRecord, type KubeObject, type Resource } from "./objects.ts";

export const leases: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  isNamespaced: true,
};

export type LeaseSpec = {
  /** Empty: nobody holds it. */
  holderIdentity: string;
  leaseDurationSeconds: number;
  /** MicroTime, as renewTime. */
  acquireTime?: string;
  /** Differs from renewal to renewal; it is the holder's clock, and never compared with ours. */
  renewTime?: string;
  /** How often the holder changed: the leader's term. */
  leaseTransitions: number;
};

/** Absent fields as they are for a lease that was never held. */
export function readLease({ spec }: KubeObject): LeaseSpec {
  const fields = isRecord(spec) ? spec : {};
  const { holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions } = fields;
  return {
    holderIdentity: typeof holderIdentity === "string" ? holderIdentity : "",
    leaseDurationSeconds: typeof leaseDurationSeconds === "number" ? leaseDurationSeconds : 0,
    leaseTransitions: typeof leaseTransitions === "number" ? leaseTransitions : 0,
    ...(typeof acquireTime === "string" && { acquireTime }),
    ...(typeof renewTime === "string" && { renewTime }),
  };
}

type LeaseFacts = {
  /** What is stored. */
  lease: LeaseSpec;
  identity: string;
  /** Since we first saw the lease as it is. */
  unchangedForMs: number;
  leaseSeconds: number;
  /** MicroTime. */
  now: string;
};

/** What to store; undefined while it is another's. */
export function decideLease({ lease, identity, unchangedForMs, leaseSeconds, now }: LeaseFacts): LeaseSpec | undefined {
  const renewal = { holderIdentity: identity, leaseDurationSeconds: leaseSeconds, renewTime: now };
  if (lease.holderIdentity === identity) return { ...lease, ...renewal };
  const isFree = lease.holderIdentity === "" || unchangedForMs >= lease.leaseDurationSeconds * 1_000;
  return isFree ? { ...renewal, acquireTime: now, leaseTransitions: lease.leaseTransitions + 1 } : undefined;
}
