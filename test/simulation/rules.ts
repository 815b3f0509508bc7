// The real rules that the simulation runs, in one place so that a mutation can break one of them.
import { planPods } from "#operator/number/pods.ts";
import { projectPod } from "#operator/pod-view.ts";
import { mayGoOnWire, remainingMs } from "../../services/connection/domain/lease-clock.ts";
import { nextSession } from "../../services/connection/domain/session.ts";
import { decideBatch } from "../../services/messages/domain/batch.ts";
import { decideLease } from "../../services/messages/domain/lease.ts";

export type Rules = {
  planPods: typeof planPods;
  projectPod: typeof projectPod;
  nextSession: typeof nextSession;
  remainingMs: typeof remainingMs;
  mayGoOnWire: typeof mayGoOnWire;
  decideLease: typeof decideLease;
  decideBatch: typeof decideBatch;
  times: { leaseMs: number; renewEveryMs: number; stopAfterMs: number };
  /** The status is written only over the version that was looked at. */
  swapsEpoch: boolean;
  /** Begin is answered before the wire. */
  beginsFirst: boolean;
  /** A live look precedes what cannot be taken back. */
  looksLive: boolean;
};

/** Times as in messages' configuration. */
export const realRules: Rules = {
  planPods,
  projectPod,
  nextSession,
  remainingMs,
  mayGoOnWire,
  decideLease,
  decideBatch,
  times: { leaseMs: 15_000, renewEveryMs: 5_000, stopAfterMs: 10_000 },
  swapsEpoch: true,
  beginsFirst: true,
  looksLive: true,
};
