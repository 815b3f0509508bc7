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
};

export type Reviewed = TemplateKey & { review: Review };

export type Plan = {
  upserts: (Omit<Listed, "category" | "status" | "quality"> & { review: Review })[];
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
    upserts: [...byKey.values()].map(({ category, status, quality, ...rest }) => ({
      ...rest,
      review: reviewAfter(reviews.get(keyText(rest)), { category, status, quality }, listedAt),
    })),
    vanished: known
      .filter((template) => !byKey.has(keyText(template)) && template.review.status.at <= listedAt)
      .map((template) => ({ ...template, review: { ...template.review, status: { value: "DELETED", at: listedAt } } })),
  };
}

type Values = Record<keyof Review, string>;

function reviewAfter(known: Review | undefined, { category, status, quality }: Values, at: Date): Review {
  if (known === undefined) {
    return { category: { value: category, at }, status: { value: status, at }, quality: { value: quality, at } };
  }
  const withCategory = afterNews(known, { field: "category", value: category, at });
  const withStatus = afterNews(withCategory, { field: "status", value: status, at });
  return afterNews(withStatus, { field: "quality", value: quality, at });
}
