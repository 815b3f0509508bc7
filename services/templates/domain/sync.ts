// What a reading of an account's templates changes.
import { afterNews, type Review } from "./state.ts";

/** A template is known by its account, name and language. */
export type TemplateKey = { name: string; language: string };

/** A template as WhatsApp lists it. */
export type Listed = TemplateKey & {
  templateId: string;
  category: string;
  status: string;
  quality: string;
  parameterFormat: string;
  componentsJson: string;
  rejectedReason: string;
  messageSendTtlSeconds: number | undefined;
};

type ReviewedField = "category" | "status" | "quality" | "rejectedReason";

export type Reviewed = TemplateKey & { review: Review };

export type Plan = {
  upserts: (Omit<Listed, ReviewedField> & { review: Review })[];
  /** Known, but not listed any more. */
  vanished: Reviewed[];
};

export function keyText({ name, language }: TemplateKey): string {
  return `${name} ${language}`;
}

/** `listedAt` is when the reading began: what was told later by an event holds. Of two entries with one key the last counts. */
export function planSync(known: readonly Reviewed[], listed: readonly Listed[], listedAt: Date): Plan {
  const reviews = new Map(known.map((template) => [keyText(template), template.review]));
  const byKey = new Map(listed.map((template) => [keyText(template), template]));
  return {
    upserts: [...byKey.values()].map(({ category, status, quality, rejectedReason, ...rest }) => ({
      ...rest,
      review: reviewAfter(reviews.get(keyText(rest)), { category, status, quality, rejectedReason }, listedAt),
    })),
    vanished: known
      .filter((template) => !byKey.has(keyText(template)) && template.review.status.at <= listedAt)
      .map((template) => ({ ...template, review: { ...template.review, status: { value: "DELETED", at: listedAt } } })),
  };
}

type Values = Record<keyof Review, string>;

function reviewAfter(known: Review | undefined, values: Values, at: Date): Review {
  return known === undefined ? toldAt(values, at) : withValues(known, values, at);
}

function withValues(known: Review, { category, status, quality, rejectedReason }: Values, at: Date): Review {
  const withCategory = afterNews(known, { field: "category", value: category, at });
  const withStatus = afterNews(withCategory, { field: "status", value: status, at });
  const withReason = afterNews(withStatus, { field: "rejectedReason", value: rejectedReason, at });
  return afterNews(withReason, { field: "quality", value: quality, at });
}

/** All of it told at one time. */
export function toldAt({ category, status, quality, rejectedReason }: Values, at: Date): Review {
  return {
    category: { value: category, at },
    status: { value: status, at },
    quality: { value: quality, at },
    rejectedReason: { value: rejectedReason, at },
  };
}
