// A claim: a window of what is due in the order of acceptance. Where that is full of messages that are behind waiting ones, the
// users are gone through in turn, a part in each claim, so that a long queue of one user holds up nobody else.
import type { Queryable } from "#lib/postgres.ts";
import type { Lane } from "./domain/accept.ts";
import {
  type Claim,
  claimMessages,
  claimOfUsers,
  type ClaimedRow,
  type ClaimFrame,
  loadClaimFrame,
} from "./store/claim.ts";

type Claimed = {
  frame: ClaimFrame;
  rows: ClaimedRow[];
  /** When users that were not looked at may have something; undefined: nobody has, before something becomes due. */
  moreUsersInMs: number | undefined;
};

export type Claims = (claim: Claim) => Promise<Claimed>;

/** Between two walks that find nothing. */
const emptyWalkMs = 200;

/** Behind which user the next walk begins, and whether this round through them has found anything. */
type Place = { after: string; hasFound: boolean };

export function createClaims(db: Queryable): Claims {
  /** Only where one is, and only in this copy of the service. */
  const places = new Map<string, Place>();

  async function walk(claim: Claim, lane: Lane, found: ClaimedRow[]): Promise<number | undefined> {
    const key = `${claim.phoneNumberId} ${lane}`;
    const most = limitOf(claim, lane) - found.filter((row) => row.lane === lane).length;
    if (most <= 0) return undefined;
    const { after, hasFound: hadFound } = places.get(key) ?? { after: "", hasFound: false };
    const held = [...claim.heldMessageIds, ...found.map(({ message_id }) => message_id)];
    const { rows, next } = await claimOfUsers(db, { ...claim, heldMessageIds: held }, { lane, after, most });
    found.push(...rows);
    const hasFound = hadFound || rows.length > 0;
    if (next === undefined) {
      places.delete(key);
      return hasFound ? emptyWalkMs : undefined;
    }
    places.set(key, { after: next, hasFound });
    return rows.length > 0 ? 0 : emptyWalkMs;
  }

  return async (claim) => {
    const [frame, rows] = await Promise.all([loadClaimFrame(db, claim), claimMessages(db, claim)]);
    const waits: number[] = [];
    for (const lane of frame.longLanes) waits.push((await walk(claim, lane, rows)) ?? Infinity);
    const soonestMs = Math.min(...waits);
    const moreUsersInMs = Number.isFinite(soonestMs) ? soonestMs : undefined;
    return { frame, rows: rows.toSorted(byLaneAndOrder), moreUsersInMs };
  };
}

function limitOf({ replyLimit, bulkLimit }: Claim, lane: Lane): number {
  return lane === "reply" ? replyLimit : bulkLimit;
}

function byLaneAndOrder(a: ClaimedRow, b: ClaimedRow): number {
  if (a.lane !== b.lane) return a.lane === "reply" ? -1 : 1;
  return a.seq - b.seq;
}
