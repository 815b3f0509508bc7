// Who may hold a number's lease. Each grant is the next term; nobody steals from a living holder, it is asked to hand over.

export type LeaseCause = "first" | "released" | "restarted" | "expired" | "revoked" | "recovered";

export type Lease = {
  term: number;
  epoch: number;
  holder: string;
  bootId: string;
  address: string;
  /** `draining`: another process waits, the holder was asked to end. */
  state: "free" | "held" | "draining";
  /** How the last holder ended, while the lease is free. */
  ended: "released" | "revoked" | "recovered" | undefined;
};

/** What a holder says of itself. */
export type ToldStanding = {
  /** Empty while it sends. */
  standing: string;
  restReason: string;
  /** When the upstream is tried again. */
  restsUntil: Date | undefined;
};

/** `wasRegistered`: WhatsApp had the number registered from here; undefined: the holder does not say. */
export type Told = ToldStanding & { wasRegistered: boolean | undefined };

export type Asker = { holder: string; bootId: string; epoch: number; address: string; takeOver: boolean };

export type LeaseDecision =
  | { kind: "granted"; lease: Lease; cause: LeaseCause }
  /** The process that asks is the holder: its answer was lost, or this request is an earlier one that came late. Its time starts anew. */
  | { kind: "kept" }
  /** `handOver`: the present holder must be asked to end, which was not done yet. */
  | { kind: "held"; holder: string; handOver: boolean }
  /** `over`: the lease of the process that asks has ended. A process holds one in its life, so nobody waits for the answer. */
  | { kind: "fenced"; by: "epoch" | "over" };

/** `isAlive` tells whether the lease's time has not run out. A number that was never held has a lease without a holder. */
export function decideLease(lease: Lease, isAlive: boolean, asker: Asker): LeaseDecision {
  if (lease.holder === "") return grant(lease.term, asker, "first");
  if (asker.epoch < lease.epoch) return { kind: "fenced", by: "epoch" };
  const isSamePod = asker.holder === lease.holder && asker.epoch === lease.epoch;
  if (isSamePod && asker.bootId === lease.bootId) {
    return lease.state === "free" ? { kind: "fenced", by: "over" } : { kind: "kept" };
  }
  if (lease.state === "free") return grant(lease.term, asker, lease.ended ?? "released");
  // The same pod is alone in holding its name: its earlier process is gone, whatever the clock says.
  if (isSamePod) return grant(lease.term, asker, "restarted");
  if (!isAlive) return grant(lease.term, asker, "expired");
  const mayAsk = asker.epoch > lease.epoch || asker.takeOver;
  return { kind: "held", holder: lease.holder, handOver: mayAsk && lease.state === "held" };
}

function grant(lastTerm: number, { holder, bootId, epoch, address }: Asker, cause: LeaseCause): LeaseDecision {
  return {
    kind: "granted",
    cause,
    lease: { term: lastTerm + 1, epoch, holder, bootId, address, state: "held", ended: undefined },
  };
}

// A holder counts its time by another clock, and says when it is over each time anew.
const sameTimeMs = 1_000;

/** Whether what the holder says is worth a write. */
export function isNews(
  told: Told,
  known: (ToldStanding & { registeredSeenAt: Date | undefined }) | undefined,
): boolean {
  const isRegistered = known?.registeredSeenAt !== undefined;
  return !isSameStanding(told, known ?? silent) || (told.wasRegistered ?? isRegistered) !== isRegistered;
}

const silent: ToldStanding = { standing: "", restReason: "", restsUntil: undefined };

export function isSameStanding(a: ToldStanding, b: ToldStanding): boolean {
  if (a.standing !== b.standing || a.restReason !== b.restReason) return false;
  if (a.restsUntil === undefined || b.restsUntil === undefined) return a.restsUntil === b.restsUntil;
  return Math.abs(a.restsUntil.getTime() - b.restsUntil.getTime()) <= sameTimeMs;
}

/** Whether calls with this term are the holder's. A lease whose time ran out is still its holder's until another one asks. */
export function isHolder(lease: Pick<Lease, "term" | "state"> | undefined, term: number): boolean {
  return lease !== undefined && lease.state !== "free" && lease.term === term;
}
