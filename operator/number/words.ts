// WhatsApp's words as the status shows them, and numbers for people.
import { maskPhone } from "#lib/log.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { QualityFacts } from "./facts.ts";

type NumberStatus = NonNullable<WhatsAppNumber["status"]>;

/** PENDING_REVIEW → PendingReview; undefined for what is no word. */
export function toWord(text: string): string | undefined {
  const word = text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("");
  return /^[A-Z]/.test(word) ? word.slice(0, 64) : undefined;
}

export function maskedPhoneNumber(phoneNumber: string): string {
  return `+${maskPhone(phoneNumber.slice(1))}`.slice(0, 16);
}

export function toRating(rating: string): NonNullable<NumberStatus["qualityRating"]> {
  switch (rating) {
    case "GREEN":
      return "Green";
    case "YELLOW":
      return "Yellow";
    case "RED":
      return "Red";
    default:
      return "Unknown";
  }
}

export function limitOf({ limit, limitTier }: QualityFacts): string | undefined {
  if (limit !== undefined) return String(limit);
  return limitTier === "TIER_UNLIMITED" ? "Unlimited" : undefined;
}

const usedEveryMs = 600_000;
const marks = [5, 8, 10];

/** In tenths. A change is shown when it passes a mark, and else at most each ten minutes: a status is read by everybody. */
export function usedOf(
  { limit, used }: QualityFacts,
  before: string | undefined,
  writtenMs: number,
): string | undefined {
  if (limit === undefined || limit === 0n) return undefined;
  const tenths = Number((used * 10n) / limit);
  const shown = (tenths / 10).toFixed(1);
  if (before === undefined) return shown;
  const beforeTenths = Math.round(Number(before) * 10);
  const passes = marks.some((mark) => beforeTenths >= mark !== tenths >= mark);
  return passes || writtenMs >= usedEveryMs ? shown : before;
}
