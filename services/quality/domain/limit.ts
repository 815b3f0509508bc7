// The messaging limit: how many different users the numbers of one scope may start a conversation with in a rolling 24 hours.
// A user takes up one place while a message to them is reserved, and for 24 hours after the last one that was delivered.
import type { Limit } from "./tiers.ts";

const dayMs = 24 * 3_600_000;
const reservationMs = 15 * 60_000;
// A message lives 30 days at most, so no delivery comes later.
const memoryMs = 31 * dayMs;

/** What is held for one user. */
export type Use = {
  /** When a business-initiated message was last delivered; undefined: none yet. */
  countedAt: Date | undefined;
  /** By message id, when the reservation lapses. One that has lapsed is kept, so that a late delivery is still counted. */
  reservations: ReadonlyMap<string, Date>;
};

export const unused: Use = { countedAt: undefined, reservations: new Map() };

/** Until when the user takes up a place, by what is known now. Undefined: was never reserved nor counted. */
export function activeUntil({ countedAt, reservations }: Use): Date | undefined {
  const ends = [...reservations.values()].map((lapsesAt) => lapsesAt.getTime());
  if (countedAt !== undefined) ends.push(countedAt.getTime() + dayMs);
  return ends.length === 0 ? undefined : new Date(Math.max(...ends));
}

/** Deliveries after this instant still count. */
export function countsAfter(now: Date): Date {
  return new Date(now.getTime() - dayMs);
}

/** Reservations that lapsed before this instant may be forgotten. */
export function forgottenBefore(now: Date): Date {
  return new Date(now.getTime() - memoryMs);
}

export type MessageVerb = "sent" | "unknown" | "delivered" | "read" | "failed" | "expired" | "cancelled";

export type MessageNews = { verb: MessageVerb; messageId: string; at: Date };

/**
 * | news                       | reservation                           | counted                     |
 * | sent, unknown              | lapses 24 h after it                  |                             |
 * | delivered, read            | released                              | at the later of both times  |
 * | failed, expired, cancelled | lapses at once                        |                             |
 * A message without a reservation changes nothing: it answered in an open window, or it was counted already.
 * Answers the same object if nothing changes.
 */
export function afterNews(use: Use, { verb, messageId, at }: MessageNews, now: Date): Use {
  const lapsesAt = use.reservations.get(messageId);
  if (lapsesAt === undefined) return use;
  const happenedAt = earlier(at, now);
  switch (verb) {
    case "sent":
    case "unknown":
      return withReservation(use, messageId, later(lapsesAt, new Date(happenedAt.getTime() + dayMs)));
    case "delivered":
    case "read":
      return {
        countedAt: use.countedAt === undefined ? happenedAt : later(use.countedAt, happenedAt),
        reservations: new Map([...use.reservations].filter(([id]) => id !== messageId)),
      };
    case "failed":
    case "expired":
    case "cancelled":
      return withReservation(use, messageId, earlier(lapsesAt, happenedAt));
  }
}

function withReservation(use: Use, messageId: string, lapsesAt: Date): Use {
  if (use.reservations.get(messageId)?.getTime() === lapsesAt.getTime()) return use;
  return { ...use, reservations: new Map(use.reservations).set(messageId, lapsesAt) };
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function later(a: Date, b: Date): Date {
  return a < b ? b : a;
}

/** What of the reservations is to be saved. */
export function changesBetween(
  before: Use,
  after: Use,
): { moved: { messageId: string; lapsesAt: Date }[]; released: string[] } {
  const moved = [...after.reservations].map(([messageId, lapsesAt]) => ({ messageId, lapsesAt }));
  return {
    moved: moved.filter(({ messageId, lapsesAt }) => before.reservations.get(messageId) !== lapsesAt),
    released: [...before.reservations.keys()].filter((messageId) => !after.reservations.has(messageId)),
  };
}

export type ReserveItem = { messageId: string; userId: string };

/** What a decision about a batch of messages of one number may look at. */
export type ReserveFacts = {
  /** The number may answer, but not start a conversation. */
  restricted: boolean;
  limit: Limit;
  /** Users that take up a place, over all numbers of the scope. */
  used: number;
  /** Users of this batch that take up a place already. */
  activeUsers: ReadonlySet<string>;
  /** Messages of this batch whose reservation has not lapsed. */
  reservedMessages: ReadonlySet<string>;
  /** Delivery times of the users whose place becomes free first: the one at `overuse` is the one to wait for. Undefined: none was delivered to. */
  leavingCountedAt: Date | undefined;
};

export type Verdict =
  | { kind: "reserved"; lapsesAt: Date }
  /** By an earlier call: nothing is to be written. */
  | { kind: "held" }
  | { kind: "refused"; reason: "limit_reached" | "number_restricted"; earliestAt: Date | undefined };

/**
 * In the order given; each place goes to the first that asks. A limit that WhatsApp has not told yet refuses nothing:
 * WhatsApp is the authority, and what is reserved meanwhile counts as soon as it is told.
 */
export function decideReserve(items: readonly ReserveItem[], facts: ReserveFacts, now: Date): Verdict[] {
  const activeUsers = new Set(facts.activeUsers);
  const reservedMessages = new Set(facts.reservedMessages);
  let used = facts.used;
  return items.map(({ messageId, userId }): Verdict => {
    if (facts.restricted) return { kind: "refused", reason: "number_restricted", earliestAt: undefined };
    if (reservedMessages.has(messageId)) return { kind: "held" };
    if (!activeUsers.has(userId)) {
      if (facts.limit.kind === "users" && used >= facts.limit.users) {
        return { kind: "refused", reason: "limit_reached", earliestAt: freeAt(facts.leavingCountedAt, now) };
      }
      activeUsers.add(userId);
      used += 1;
    }
    reservedMessages.add(messageId);
    return { kind: "reserved", lapsesAt: new Date(now.getTime() + reservationMs) };
  });
}

/** How many users get a place that had none. */
export function countNewUsers(
  items: readonly ReserveItem[],
  verdicts: readonly Verdict[],
  activeUsers: ReadonlySet<string>,
): number {
  const reserved = items.filter((_, index) => verdicts[index]?.kind === "reserved").map(({ userId }) => userId);
  return [...new Set(reserved)].filter((userId) => !activeUsers.has(userId)).length;
}

/** A user that is only reserved counts as delivered to now. */
function freeAt(countedAt: Date | undefined, now: Date): Date {
  return new Date((countedAt ?? now).getTime() + dayMs);
}

/** How many users must leave, besides one, before there is a place: 0 unless the limit was lowered below what is used. */
export function overuse(used: number, limit: Limit): number {
  return limit.kind === "users" ? Math.max(0, used - limit.users) : 0;
}

/** Whether a batch of this size might find no place. */
export function isTight(used: number, limit: Limit, size: number): boolean {
  return limit.kind === "users" && used + size > limit.users;
}
