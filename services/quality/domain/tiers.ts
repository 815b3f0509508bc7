// Meta's names of messaging limits: TIER_250, TIER_2K, …, TIER_UNLIMITED. A limit is a number of unique users per rolling 24 hours.

/** `untold`: WhatsApp has set or named no limit yet. */
export type Limit = { kind: "users"; users: number } | { kind: "unlimited" } | { kind: "untold" };

const untold: Limit = { kind: "untold" };

/** Any TIER_<n> or TIER_<n>K is understood, so that a step that Meta adds needs no release of ours; all else is untold. */
export function limitOfTier(tier: string): Limit {
  if (tier === "TIER_UNLIMITED") return { kind: "unlimited" };
  const [, digits, thousands] = /^TIER_(\d{1,9})(K?)$/.exec(tier) ?? [];
  if (digits === undefined) return untold;
  return { kind: "users", users: Number(digits) * (thousands === "K" ? 1_000 : 1) };
}

/** The tier in what a webhook reports: a tier, or the older bare number, where -1 is unlimited. Undefined if it is neither. */
export function tierOfReport(reported: string | number): string | undefined {
  if (typeof reported === "string") return limitOfTier(reported).kind === "untold" ? undefined : reported;
  if (reported === -1) return "TIER_UNLIMITED";
  if (!Number.isSafeInteger(reported) || reported < 0) return undefined;
  return reported >= 1_000 && reported % 1_000 === 0 ? `TIER_${reported / 1_000}K` : `TIER_${reported}`;
}
