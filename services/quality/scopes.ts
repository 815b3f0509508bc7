// Puts numbers into the scope whose limit they share, and adopts the limit that WhatsApp reports.
import type { Queryable } from "#lib/postgres.ts";
import { afterTierReport, learnIds, type NumberIds, type ReportedTier, scopeIdOf } from "./domain/number.ts";
import {
  addUsed,
  findEmptyScopes,
  insertScopes,
  lockScopes,
  mergeScope,
  saveTiers,
  type StoredScope,
} from "./scope-store.ts";
import { saveIds, type StoredNumber } from "./store.ts";

/** A limit reported of one of the numbers; it holds for the whole scope. */
export type TierReport = { phoneNumberId: string; tier: string | undefined; reportedAt: Date };

type Learnt = { told: readonly NumberIds[]; reports: readonly TierReport[] };

/** `numbers` are held by the transaction, with all numbers of their accounts. */
export async function placeNumbers(
  tx: Queryable,
  numbers: readonly StoredNumber[],
  { told, reports }: Learnt,
): Promise<void> {
  const learnt = new Map(
    learnIds(numbers, told).map((ids) => [ids.phoneNumberId, { ...ids, scopeId: scopeIdOf(ids) }]),
  );
  const placed = numbers.map((number) => ({ ...number, ...learnt.get(number.phoneNumberId) }));
  const moves = placed.flatMap(({ scopeId: to }, index) => {
    const from = numbers[index]?.scopeId;
    return from === undefined || from === to ? [] : [{ from, to }];
  });
  const scopeOf = new Map(placed.map(({ phoneNumberId, scopeId }) => [phoneNumberId, scopeId]));
  const reported = reports.flatMap(({ phoneNumberId }) => scopeOf.get(phoneNumberId) ?? []);
  if (learnt.size === 0 && reported.length === 0) return;

  const scopeIds = [...new Set([...moves.flatMap(({ from, to }) => [from, to]), ...reported])];
  await insertScopes(tx, scopeIds);
  const scopes = await lockScopes(tx, scopeIds);
  if (learnt.size > 0) await saveIds(tx, [...learnt.values()]);
  const tiers = new Map<string, ReportedTier>(scopes.map((scope) => [scope.scopeId, scope]));
  for (const { from, to } of await emptied(tx, moves)) {
    const gained = await mergeScope(tx, { from, to });
    await addUsed(tx, [{ scopeId: to, added: gained }]);
    adopt(tiers, to, tiers.get(from));
  }
  for (const { phoneNumberId, tier, reportedAt } of reports) {
    adopt(tiers, scopeOf.get(phoneNumberId), tier === undefined ? undefined : { tier, reportedAt });
  }
  await saveChangedTiers(tx, scopes, tiers);
}

type Move = { from: string; to: string };

/** A scope that its last number left goes over to where that number went. */
async function emptied(tx: Queryable, moves: readonly Move[]): Promise<Move[]> {
  if (moves.length === 0) return [];
  const target = new Map(moves.map(({ from, to }) => [from, to]));
  const empty = await findEmptyScopes(tx, [...target.keys()]);
  return empty.flatMap((from) => {
    const to = target.get(from);
    return to === undefined ? [] : [{ from, to }];
  });
}

function adopt(tiers: Map<string, ReportedTier>, scopeId: string | undefined, report: ReportedTier | undefined): void {
  const known = scopeId === undefined ? undefined : tiers.get(scopeId);
  if (scopeId === undefined || known === undefined || report?.reportedAt === undefined) return;
  tiers.set(scopeId, afterTierReport(known, report.tier, report.reportedAt));
}

async function saveChangedTiers(
  tx: Queryable,
  scopes: readonly StoredScope[],
  tiers: ReadonlyMap<string, ReportedTier>,
): Promise<void> {
  const changed = scopes.flatMap((scope) => {
    const after = tiers.get(scope.scopeId);
    return after === undefined || after === scope ? [] : [{ ...after, scopeId: scope.scopeId }];
  });
  if (changed.length > 0) await saveTiers(tx, changed);
}
