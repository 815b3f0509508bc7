// Leases change hands here. A grant and what it does to messages of older terms are one commit.
import { ServiceError } from "#lib/errors.ts";
import { enqueue, type OutboxRow } from "#lib/outbox.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { type Asker, decideLease, isHolder, type Lease, type LeaseCause, type Told } from "./domain/lease.ts";
import { next } from "./domain/message.ts";
import { barredMs } from "./domain/recovery.ts";
import { messageEvent, numberEvent } from "./events.ts";
import type { Register } from "./register.ts";
import {
  type Inherited,
  insertFirstLease,
  type LapseChange,
  lockLease,
  lockLeftSending,
  markLapses,
  saveDraining,
  saveEnd,
  saveGrant,
  saveKept,
  saveRegistration,
  saveStanding,
} from "./store/leases.ts";
import { updateMessages } from "./store/ledger.ts";
import { loadStandstill } from "./store/recovery.ts";
import type { ConnectionRecord } from "./store/register.ts";

export type Acquired =
  /** `kept`: the process had it already. */
  | { kind: "granted" | "kept"; connection: ConnectionRecord }
  /** `retryAfterMs`: when asking again may be worth it. `handOver`: the holder was asked to end just now. */
  | { kind: "held"; holder: string; retryAfterMs: number; handOver: boolean };

/** `wasRegistered` as in Told. */
export type LeaseEnd = { kind: "released"; wasRegistered: boolean | undefined } | { kind: "revoked"; proof: string };

export type Leasing = {
  /** Rejects with FAILED_PRECONDITION fenced if a pod with a higher epoch has been here, or the process had its lease and lost it. */
  acquire(phoneNumberId: string, asker: Asker): Promise<Acquired>;
  /** Whether that term was the lease's. */
  end(phoneNumberId: string, term: number, how: LeaseEnd): Promise<boolean>;
  /** What the holder says of itself; that of a term which is over is ignored. */
  noteStanding(standing: { phoneNumberId: string; term: number; told: Told }): Promise<void>;
  /** Tells of leases whose time ran out, and of those renewed after it did; how many there were. */
  noteLapses(): Promise<number>;
};

type Dependencies = {
  db: Pool;
  register: Pick<Register, "placeOf" | "policyOf">;
  now: () => Date;
  leaseMs: number;
  renewEveryMs: number;
};

export function createLeasing(dependencies: Dependencies): Leasing {
  const { db } = dependencies;
  return {
    acquire: (phoneNumberId, asker) =>
      transaction(db, (tx) => acquire(tx, dependencies, phoneNumberId, asker), "lease.acquire"),
    end: (phoneNumberId, term, how) =>
      transaction(db, (tx) => end(tx, dependencies, phoneNumberId, term, how), "lease.end"),
    noteStanding: (standing) => saveStanding(db, { ...standing, now: dependencies.now() }),
    noteLapses: () => transaction(db, (tx) => noteLapses(tx, dependencies), "lease.lapses"),
  };
}

/** The lease may run out a moment after it was looked at. */
const retrySlackMs = 20;

async function acquire(
  tx: Queryable,
  { register, now, leaseMs, renewEveryMs }: Dependencies,
  phoneNumberId: string,
  asker: Asker,
): Promise<Acquired> {
  const at = now();
  await insertFirstLease(tx, phoneNumberId, at);
  const locked = await lockLease(tx, phoneNumberId);
  if (locked === undefined) throw new Error(`lease of number ${phoneNumberId} vanished`);
  const { lease: before, isAlive, remainingMs } = locked;
  const waitMs = barredMs(await loadStandstill(tx));
  if (waitMs > 0) {
    return {
      kind: "held",
      holder: "recovery",
      handOver: false,
      retryAfterMs: Math.min(renewEveryMs, waitMs + retrySlackMs),
    };
  }
  const decision = decideLease(before, isAlive, asker);
  switch (decision.kind) {
    case "fenced":
      throw fencedOut(phoneNumberId, before, asker, decision.by);
    case "held": {
      const { holder, handOver } = decision;
      if (handOver) await saveDraining(tx, phoneNumberId);
      return { kind: "held", holder, handOver, retryAfterMs: Math.min(renewEveryMs, remainingMs + retrySlackMs) };
    }
    case "kept":
      return { kind: "kept", connection: await saveKept(tx, { phoneNumberId, term: before.term, leaseMs }) };
    case "granted": {
      const { lease, cause } = decision;
      const { term, address } = lease;
      const inherited = await saveGrant(tx, { phoneNumberId, lease, cause, leaseMs, now: at });
      const left = await takeOver(tx, register, { phoneNumberId, term, at });
      await enqueue(tx, "messages", [
        ...left,
        connectionNews(register, at, { phoneNumberId, term, address, lapsed: false }),
      ]);
      return { kind: "granted", connection: toConnection({ phoneNumberId, lease, cause, at }, inherited) };
    }
  }
}

function fencedOut(phoneNumberId: string, { epoch }: Lease, asker: Asker, by: "epoch" | "over"): ServiceError {
  const why =
    by === "epoch"
      ? `number ${phoneNumberId} belongs to epoch ${epoch}, not ${asker.epoch}`
      : `the lease of number ${phoneNumberId} that boot ${asker.bootId} had is over`;
  return new ServiceError("FAILED_PRECONDITION", "fenced", why);
}

function toConnection(
  { phoneNumberId, lease, cause, at }: { phoneNumberId: string; lease: Lease; cause: LeaseCause; at: Date },
  inherited: Inherited,
): ConnectionRecord {
  const { term, epoch, holder, address } = lease;
  const held = { phoneNumberId, term, epoch, holder, address, cause, grantedAt: at, connected: true, lapsed: false };
  return { ...held, ...inherited, restReason: "", restsUntil: undefined };
}

/** After the lease row was locked, in a statement of its own: so it sees every Begin that came before. */
async function takeOver(
  tx: Queryable,
  register: Dependencies["register"],
  { phoneNumberId, term, at }: { phoneNumberId: string; term: number; at: Date },
): Promise<OutboxRow[]> {
  const policy = register.policyOf(phoneNumberId);
  const place = register.placeOf(phoneNumberId);
  const left = await lockLeftSending(tx, phoneNumberId, term);
  const steps = left.map((message) => next(message, { kind: "takeover", term }, at, policy));
  await updateMessages(
    tx,
    steps.map(({ row, transition }) => ({ message: row, transitions: transition === undefined ? [] : [transition] })),
  );
  return steps.flatMap(({ row, news }) => news.map((one) => messageEvent({ message: row, news: one }, place)));
}

async function end(
  tx: Queryable,
  { register, now }: Dependencies,
  phoneNumberId: string,
  term: number,
  how: LeaseEnd,
): Promise<boolean> {
  const locked = await lockLease(tx, phoneNumberId);
  if (!isHolder(locked?.lease, term)) return false;
  const at = now();
  if (how.kind === "released" && how.wasRegistered !== undefined)
    await saveRegistration(tx, { phoneNumberId, wasRegistered: how.wasRegistered, now: at });
  await saveEnd(tx, phoneNumberId, how.kind, how.kind === "revoked" ? how.proof : undefined);
  await enqueue(tx, "messages", [connectionNews(register, at, { phoneNumberId, term, address: "", lapsed: true })]);
  return true;
}

async function noteLapses(tx: Queryable, { register, now }: Dependencies): Promise<number> {
  const changes = await markLapses(tx);
  const at = now();
  await enqueue(
    tx,
    "messages",
    changes.map((change) => connectionNews(register, at, change)),
  );
  return changes.length;
}

function connectionNews(
  register: Dependencies["register"],
  at: Date,
  { phoneNumberId, term: version, address, lapsed }: LapseChange,
): OutboxRow {
  const verb = lapsed ? "disconnected" : "connected";
  return numberEvent({
    ...register.placeOf(phoneNumberId),
    verb,
    phoneNumberId,
    version,
    address: lapsed ? "" : address,
    at,
  });
}
