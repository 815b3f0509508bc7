// Holds places of the messaging limit for messages about to be sent.
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
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
import {
  deleteInactiveUsers,
  loadActiveUsers,
  loadLeavingUser,
  loadReservations,
  saveReservations,
} from "./limit-store.ts";
import { addUsed, lockScopes, type StoredScope } from "./scope-store.ts";
import { holdNumber, insertNumbers, type StoredNumber } from "./store.ts";

type Request = { phoneNumberId: string; items: readonly ReserveItem[] };

/** In the order asked. A number that was never heard of is taken in, and read from WhatsApp soon. */
export async function reserve(db: Pool, { phoneNumberId, items }: Request, now: Date): Promise<Verdict[]> {
  if (items.length === 0) return [];
  return transaction(db, async (tx) => {
    const number = await getNumber(tx, phoneNumberId, now);
    const scope = await getScope(tx, number.scopeId);
    const limit = limitOfTier(scope.tier);
    const expired = await makeRoom(tx, scope, { limit, size: items.length, now });
    const facts = await loadFacts(tx, { number, scope, limit, used: scope.used - expired, items, now });
    const verdicts = decideReserve(items, facts, now);
    const added = await save(tx, scope.scopeId, items, verdicts, facts);
    if (added !== expired) await addUsed(tx, [{ scopeId: scope.scopeId, added: added - expired }]);
    return verdicts;
  });
}

async function getNumber(tx: Queryable, phoneNumberId: string, now: Date): Promise<StoredNumber> {
  const known = await holdNumber(tx, phoneNumberId);
  if (known !== undefined) return known;
  await insertNumbers(tx, [phoneNumberId], now);
  const inserted = await holdNumber(tx, phoneNumberId);
  if (inserted === undefined) throw new Error(`number ${phoneNumberId} was not inserted`);
  return inserted;
}

async function getScope(tx: Queryable, scopeId: string): Promise<StoredScope> {
  const [scope] = await lockScopes(tx, [scopeId]);
  if (scope === undefined) throw new Error(`scope ${scopeId} of a number does not exist`);
  return scope;
}

// What one deletion may take, so that a call after a quiet day does not clear 100,000 users in one transaction.
const expireBatch = 1_000;

/** Users whose time has passed leave: some with each call, as many as are needed where places are short. Answers how many left. */
async function makeRoom(
  tx: Queryable,
  { scopeId, used }: StoredScope,
  { limit, size, now }: { limit: Limit; size: number; now: Date },
): Promise<number> {
  let expired = 0;
  for (;;) {
    const deleted = await deleteInactiveUsers(tx, { scopeId, now, limit: expireBatch });
    expired += deleted;
    if (deleted < expireBatch || !isTight(used - expired, limit, size)) return expired;
  }
}

type Known = {
  number: StoredNumber;
  scope: StoredScope;
  limit: Limit;
  used: number;
  items: readonly ReserveItem[];
  now: Date;
};

async function loadFacts(tx: Queryable, { number, scope, limit, used, items, now }: Known): Promise<ReserveFacts> {
  const { scopeId } = scope;
  const reservations = await loadReservations(
    tx,
    items.map(({ messageId }) => messageId),
  );
  const leaving = { scopeId, countedAfter: countsAfter(now), overuse: overuse(used, limit) };
  return {
    restricted: isRestricted(number.status),
    limit,
    used,
    activeUsers: await loadActiveUsers(
      tx,
      scopeId,
      items.map(({ userId }) => userId),
    ),
    reservedMessages: new Set(reservations.filter(({ lapsesAt }) => lapsesAt > now).map(({ messageId }) => messageId)),
    leavingCountedAt: isTight(used, limit, items.length) ? await loadLeavingUser(tx, leaving) : undefined,
  };
}

/** Answers how many users are new. */
async function save(
  tx: Queryable,
  scopeId: string,
  items: readonly ReserveItem[],
  verdicts: readonly Verdict[],
  { activeUsers }: ReserveFacts,
): Promise<number> {
  const reservations = items.flatMap((item, index) => {
    const verdict = verdicts[index];
    return verdict?.kind === "reserved" ? [{ ...item, scopeId, lapsesAt: verdict.lapsesAt }] : [];
  });
  if (reservations.length > 0) await saveReservations(tx, reservations);
  return countNewUsers(items, verdicts, activeUsers);
}
