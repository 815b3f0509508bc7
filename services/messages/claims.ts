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
  /** Users are left to be looked at. */
  hasMoreUsers: boolean;
};

export type Claims = (claim: Claim) => Promise<Claimed>;

export function createClaims(db: Queryable): Claims {
  /** Behind which user the next walk begins. Only where it is, and only in this copy of the service. */
  const places = new Map<string, string>();

  async function walk(claim: Claim, lane: Lane, found: ClaimedRow[]): Promise<boolean> {
    const key = `${claim.phoneNumberId} ${lane}`;
    const most = limitOf(claim, lane) - found.filter((row) => row.lane === lane).length;
    if (most <= 0) return false;
    const after = places.get(key) ?? "";
    const held = [...claim.heldMessageIds, ...found.map(({ message_id }) => message_id)];
    const { rows, next } = await claimOfUsers(db, { ...claim, heldMessageIds: held }, { lane, after, most });
    found.push(...rows);
    if (next === undefined) places.delete(key);
    else places.set(key, next);
    return next !== undefined || after !== "";
  }

  return async (claim) => {
    const [frame, rows] = await Promise.all([loadClaimFrame(db, claim), claimMessages(db, claim)]);
    let hasMoreUsers = false;
    for (const lane of frame.longLanes) hasMoreUsers = (await walk(claim, lane, rows)) || hasMoreUsers;
    return { frame, rows: rows.toSorted(byLaneAndOrder), hasMoreUsers };
  };
}

function limitOf({ replyLimit, bulkLimit }: Claim, lane: Lane): number {
  return lane === "reply" ? replyLimit : bulkLimit;
}

function byLaneAndOrder(a: ClaimedRow, b: ClaimedRow): number {
  if (a.lane !== b.lane) return a.lane === "reply" ? -1 : 1;
  return a.seq - b.seq;
}
