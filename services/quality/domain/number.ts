// What WhatsApp tells of a number, and whose limit it shares: that of its business portfolio, or of its account while the
// portfolio is not known, or nobody's while neither is.

export type NumberIds = { phoneNumberId: string; wabaId: string | undefined; businessId: string | undefined };

/** Ids of numbers, accounts and portfolios are Meta's and never the same. */
export function scopeIdOf({ phoneNumberId, wabaId, businessId }: NumberIds): string {
  return businessId ?? wabaId ?? phoneNumberId;
}

/** The numbers whose ids change by what was told of some of them: one number's portfolio is that of its whole account. */
export function learnIds(known: readonly NumberIds[], told: readonly NumberIds[]): NumberIds[] {
  const toldById = new Map(told.map((ids) => [ids.phoneNumberId, ids]));
  const own = known.map((ids) => withTold(ids, toldById.get(ids.phoneNumberId)));
  const portfolios = new Map<string, string>();
  // What is told now comes last and so wins.
  for (const { wabaId, businessId } of [...own, ...told]) {
    if (wabaId !== undefined && businessId !== undefined) portfolios.set(wabaId, businessId);
  }
  return own
    .map((ids) => ({ ...ids, businessId: portfolios.get(ids.wabaId ?? "") ?? ids.businessId }))
    .filter((ids, index) => ids.wabaId !== known[index]?.wabaId || ids.businessId !== known[index]?.businessId);
}

/** What was told once is kept when it is not told again; but a number that moved to another account leaves its portfolio. */
function withTold(known: NumberIds, told: NumberIds | undefined): NumberIds {
  const wabaId = told?.wabaId ?? known.wabaId;
  const hasMoved = known.wabaId !== undefined && known.wabaId !== wabaId;
  return { ...known, wabaId, businessId: told?.businessId ?? (hasMoved ? undefined : known.businessId) };
}

/** The number may answer in an open window, but not start a conversation. */
export function isRestricted(status: string): boolean {
  return status === "RESTRICTED";
}

export type ReportedTier = { tier: string; reportedAt: Date | undefined };

/** The newest report wins, whichever way it came; an empty one tells nothing. Answers the same object if nothing changes. */
export function afterTierReport(known: ReportedTier, tier: string | undefined, reportedAt: Date): ReportedTier {
  if (tier === undefined) return known;
  if (known.reportedAt !== undefined && known.reportedAt >= reportedAt) return known;
  return { tier, reportedAt };
}
