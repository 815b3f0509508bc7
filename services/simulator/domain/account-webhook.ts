// The news about an account, its numbers and its templates, as values of webhook fields (JSON text).

export type TemplateNews = {
  templateId: string;
  name: string;
  language: string;
};

type AccountNews = { field: string; value: string };

/** `message_template_id` is a JSON number that may exceed 2^53, so it is written, never computed. */
function templateValue({ templateId, name, language }: TemplateNews, rest: object): string {
  const fields = { message_template_name: name, message_template_language: language.replaceAll("_", "-"), ...rest };
  return `{"message_template_id":${templateId},${JSON.stringify(fields).slice(1)}`;
}

const pauseTitles = { PAUSED: "FIRST_PAUSE", DISABLED: "DISABLED" } as const;

export function templateStatusNews(
  template: TemplateNews & { category: string },
  event: string,
  reason: string,
): AccountNews {
  const title = event === "PAUSED" || event === "DISABLED" ? pauseTitles[event] : undefined;
  const value = templateValue(template, {
    event,
    reason,
    message_template_category: template.category,
    ...(title !== undefined && { other_info: { title, description: "Template has received low quality feedback" } }),
  });
  return { field: "message_template_status_update", value };
}

export function templateQualityNews(template: TemplateNews, previous: string, next: string): AccountNews {
  const value = templateValue(template, { previous_quality_score: previous, new_quality_score: next });
  return { field: "message_template_quality_update", value };
}

export function templateCategoryNews(template: TemplateNews, previous: string, next: string): AccountNews {
  const value = templateValue(template, { previous_category: previous, new_category: next });
  return { field: "template_category_update", value };
}

/** What a number shows to the business; a change of it is news. */
export type NumberFacts = {
  qualityRating: string;
  messagingLimitTier: string;
  status: string;
  throughputLevel: string;
};

const tierSizes: Readonly<Record<string, number>> = {
  TIER_50: 50,
  TIER_250: 250,
  TIER_1K: 1_000,
  TIER_2K: 2_000,
  TIER_10K: 10_000,
  TIER_100K: 100_000,
};

/** Unique users a day; -1 stands for no limit. */
export function tierSize(tier: string): number {
  return tierSizes[tier] ?? -1;
}

/**
 * The news that a change of a number's facts makes. Meta says nothing of a rating between red and green by webhook; FLAGGED and
 * UNFLAGGED are its older words, which readers must still know.
 */
export function numberNews(displayPhoneNumber: string, before: NumberFacts, after: NumberFacts): AccountNews[] {
  const news: AccountNews[] = [];
  if (before.messagingLimitTier !== after.messagingLimitTier) {
    const size = tierSize(after.messagingLimitTier);
    news.push(
      toNews("business_capability_update", {
        max_daily_conversations_per_business: size,
        max_phone_numbers_per_business: 20,
      }),
    );
    const grew = rank(after.messagingLimitTier) > rank(before.messagingLimitTier);
    news.push(qualityNews(displayPhoneNumber, grew ? "UPGRADE" : "DOWNGRADE", after));
  }
  const flagged = isFlagged(after);
  if (isFlagged(before) !== flagged)
    news.push(qualityNews(displayPhoneNumber, flagged ? "FLAGGED" : "UNFLAGGED", after));
  if (before.throughputLevel !== after.throughputLevel && after.throughputLevel === "HIGH")
    news.push(qualityNews(displayPhoneNumber, "THROUGHPUT_UPGRADE", after));
  if (before.status !== after.status) news.push(...statusNews(before.status, after.status));
  return news;
}

function rank(tier: string): number {
  const size = tierSize(tier);
  return size === -1 ? Number.POSITIVE_INFINITY : size;
}

function isFlagged({ status, qualityRating }: NumberFacts): boolean {
  return status === "FLAGGED" || qualityRating === "RED";
}

function statusNews(before: string, after: string): AccountNews[] {
  if (after === "RESTRICTED") {
    return [
      toNews("account_update", {
        event: "ACCOUNT_RESTRICTION",
        restriction_info: [{ restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING" }],
      }),
    ];
  }
  if (after === "BANNED")
    return [toNews("account_update", { event: "DISABLED_UPDATE", ban_info: { waba_ban_state: "DISABLE" } })];
  if (before === "BANNED")
    return [toNews("account_update", { event: "DISABLED_UPDATE", ban_info: { waba_ban_state: "REINSTATE" } })];
  return [];
}

function qualityNews(displayPhoneNumber: string, event: string, { messagingLimitTier }: NumberFacts): AccountNews {
  return toNews("phone_number_quality_update", {
    display_phone_number: displayPhoneNumber,
    event,
    max_daily_conversations_per_business: messagingLimitTier,
  });
}

function toNews(field: string, value: object): AccountNews {
  return { field, value: JSON.stringify(value) };
}
