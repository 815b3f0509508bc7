// What Reserve would answer: the same decision over the same facts, read without a lock and written nowhere.
import type { Queryable } from "#lib/postgres.ts";
import {
  countNewUsers,
  countsAfter,
  decideReserve,
  isTight,
  overuse,
  type ReserveFacts,
  type ReserveItem,
  type Verdict,
} from "./domain/limit.ts";
import { isRestricted } from "./domain/number.ts";
import { type Limit, limitOfTier } from "./domain/tiers.ts";
import { type LimitView, loadLeavingUser, loadLimitView, loadReservations } from "./limit-store.ts";

export type Preview = { verdicts: Verdict[]; limit: Limit; used: number; usedAfter: number };

/** In the order asked. A number that was never heard of has no limit yet, as for Reserve. */
export async function previewReserve(
  db: Queryable,
  { phoneNumberId, items }: { phoneNumberId: string; items: readonly ReserveItem[] },
  now: Date,
): Promise<Preview> {
  const userIds = items.map(({ userId }) => userId);
  const view = await loadLimitView(db, { phoneNumberId, userIds, now });
  const facts = await loadFacts(db, view, items, now);
  const verdicts = decideReserve(items, facts, now);
  const { limit, used, activeUsers } = facts;
  return { verdicts, limit, used, usedAfter: used + countNewUsers(items, verdicts, activeUsers) };
}

async function loadFacts(
  db: Queryable,
  view: LimitView | undefined,
  items: readonly ReserveItem[],
  now: Date,
): Promise<ReserveFacts> {
  const limit = limitOfTier(view?.tier ?? "");
  const used = view?.used ?? 0;
  const reservations = await loadReservations(
    db,
    items.map(({ messageId }) => messageId),
  );
  const isLeavingAsked = view !== undefined && isTight(used, limit, items.length);
  return {
    restricted: isRestricted(view?.status ?? ""),
    limit,
    used,
    activeUsers: view?.activeUsers ?? new Set(),
    reservedMessages: new Set(reservations.filter(({ lapsesAt }) => lapsesAt > now).map(({ messageId }) => messageId)),
    leavingCountedAt: isLeavingAsked
      ? await loadLeavingUser(db, {
          scopeId: view.scopeId,
          countedAfter: countsAfter(now),
          overuse: overuse(used, limit),
        })
      : undefined,
  };
}
