// The SQL of templates: the templates themselves. The accounts' timetable is in account-store.ts.
import type { Queryable } from "#lib/postgres.ts";
import type { Review } from "./domain/state.ts";
import type { Plan, Reviewed, TemplateKey } from "./domain/sync.ts";

/** A template belongs to a business account. */
export type AccountTemplateKey = TemplateKey & { wabaId: string };

export type StoredTemplate = AccountTemplateKey & {
  templateId: string;
  category: string;
  status: string;
  quality: string;
  parameterFormat: string;
  componentsJson: string;
  rejectedReason: string;
  /** As WhatsApp reports it: -1 is 30 days. Undefined: its default, or not told. */
  messageSendTtlSeconds: number | undefined;
  statusAt: Date;
  syncedAt: Date | undefined;
  /** Of the last 30 days, while it was approved. */
  edits: Date[];
};

type TemplateRow = {
  waba_id: string;
  name: string;
  language: string;
  template_id: string;
  category: string;
  status: string;
  quality: string;
  parameter_format: string;
  components_json: string;
  rejected_reason: string;
  message_send_ttl_seconds: number | null;
  status_at: Date;
  synced_at: Date | null;
  edits: Date[];
};

const templateColumns = `t.waba_id, t.name, t.language, t.template_id, t.category, t.status, t.quality, t.parameter_format,
  t.components_json, t.rejected_reason, t.message_send_ttl_seconds, t.status_at, a.synced_at, t.edits`;

function fromRow(row: TemplateRow): StoredTemplate {
  return {
    wabaId: row.waba_id,
    name: row.name,
    language: row.language,
    templateId: row.template_id,
    category: row.category,
    status: row.status,
    quality: row.quality,
    parameterFormat: row.parameter_format,
    componentsJson: row.components_json,
    rejectedReason: row.rejected_reason,
    messageSendTtlSeconds: row.message_send_ttl_seconds ?? undefined,
    statusAt: row.status_at,
    syncedAt: row.synced_at ?? undefined,
    edits: row.edits,
  };
}

/** By name and language; an empty filter passes all. */
export async function loadTemplates(
  db: Queryable,
  { wabaId, name, status }: { wabaId: string; name: string; status: string },
): Promise<StoredTemplate[]> {
  const { rows } = await db.query<TemplateRow>({
    name: "load_templates",
    text: `
      select ${templateColumns}
      from templates.templates t
      left join templates.accounts a using (waba_id)
      where t.waba_id = $1 and ($2 = '' or t.name = $2) and ($3 = '' or t.status = $3)
      order by t.name, t.language`,
    values: [wabaId, name, status],
  });
  return rows.map(fromRow);
}

/** Those that exist, in no order. */
export async function loadTemplatesByKey(
  db: Queryable,
  keys: readonly AccountTemplateKey[],
): Promise<StoredTemplate[]> {
  const { rows } = await db.query<TemplateRow>({
    name: "load_templates_by_key",
    text: `
      select ${templateColumns}
      from (select distinct * from unnest($1::text[], $2::text[], $3::text[]) as asked (waba_id, name, language)) as asked
      join templates.templates t using (waba_id, name, language)
      left join templates.accounts a using (waba_id)`,
    values: keyArrays(keys),
  });
  return rows.map(fromRow);
}

/** By Meta's id, which no two templates share while they exist. */
export async function loadTemplateById(db: Queryable, templateId: string): Promise<StoredTemplate | undefined> {
  const { rows } = await db.query<TemplateRow>({
    name: "load_template_by_id",
    text: `
      select ${templateColumns}
      from templates.templates t
      left join templates.accounts a using (waba_id)
      where t.template_id = $1
      order by t.status_at desc
      limit 1`,
    values: [templateId],
  });
  return rows.map(fromRow)[0];
}

function keyArrays(keys: readonly AccountTemplateKey[]): string[][] {
  return [keys.map(({ wabaId }) => wabaId), keys.map(({ name }) => name), keys.map(({ language }) => language)];
}

export type StoredReview = AccountTemplateKey & Reviewed;

type ReviewRow = AccountTemplateKey & {
  waba_id: string;
  category: string;
  category_at: Date;
  status: string;
  status_at: Date;
  quality: string;
  quality_at: Date;
  rejected_reason: string;
};

// What a reading confirmed is as new as the reading.
const reviewColumns = `t.waba_id, t.name, t.language, t.category, t.status, t.quality,
  greatest(t.category_at, a.synced_at) as category_at,
  greatest(t.status_at, a.synced_at) as status_at,
  greatest(t.quality_at, a.synced_at) as quality_at,
  t.rejected_reason`;

function toReview(row: ReviewRow): StoredReview {
  return {
    wabaId: row.waba_id,
    name: row.name,
    language: row.language,
    review: {
      category: { value: row.category, at: row.category_at },
      status: { value: row.status, at: row.status_at },
      quality: { value: row.quality, at: row.quality_at },
      // It comes with the status, in lists and in news.
      rejectedReason: { value: row.rejected_reason, at: row.status_at },
    },
  };
}

/** Holds the rows until the transaction ends, in key order. */
export async function lockReviews(tx: Queryable, keys: readonly AccountTemplateKey[]): Promise<StoredReview[]> {
  const { rows } = await tx.query<ReviewRow>({
    name: "lock_reviews",
    text: `
      select ${reviewColumns}
      from templates.templates t
      left join templates.accounts a using (waba_id)
      where (t.waba_id, t.name, t.language) in (select * from unnest($1::text[], $2::text[], $3::text[]))
      order by t.waba_id, t.name, t.language
      for update of t`,
    values: keyArrays(keys),
  });
  return rows.map(toReview);
}

/** The same for all templates of an account. */
export async function lockAccountReviews(tx: Queryable, wabaId: string): Promise<StoredReview[]> {
  const { rows } = await tx.query<ReviewRow>({
    name: "lock_account_reviews",
    text: `
      select ${reviewColumns}
      from templates.templates t
      left join templates.accounts a using (waba_id)
      where t.waba_id = $1
      order by t.waba_id, t.name, t.language
      for update of t`,
    values: [wabaId],
  });
  return rows.map(toReview);
}

/** Of rows that are locked. */
export async function saveReviews(tx: Queryable, reviews: readonly StoredReview[]): Promise<void> {
  await tx.query({
    name: "save_reviews",
    text: `
      update templates.templates t
      set category = saved.category, category_at = saved.category_at,
        status = saved.status, status_at = saved.status_at,
        quality = saved.quality, quality_at = saved.quality_at, rejected_reason = saved.rejected_reason
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[],
        $8::text[], $9::timestamptz[], $10::text[])
        as saved (waba_id, name, language, category, category_at, status, status_at, quality, quality_at, rejected_reason)
      where t.waba_id = saved.waba_id and t.name = saved.name and t.language = saved.language`,
    values: [...keyArrays(reviews), ...reviewArrays(reviews)],
  });
}

function reviewArrays(reviews: readonly { review: Review }[]): (string | Date)[][] {
  return [
    reviews.map(({ review }) => review.category.value),
    reviews.map(({ review }) => review.category.at),
    reviews.map(({ review }) => review.status.value),
    reviews.map(({ review }) => review.status.at),
    reviews.map(({ review }) => review.quality.value),
    reviews.map(({ review }) => review.quality.at),
    reviews.map(({ review }) => review.rejectedReason.value),
  ];
}

/** Rows in which nothing changed are not written, so a reading of an account that rests costs no write. */
export async function upsertTemplates(tx: Queryable, wabaId: string, templates: Plan["upserts"]): Promise<void> {
  await tx.query({
    name: "upsert_templates",
    text: `
      insert into templates.templates as t (waba_id, name, language, category, category_at, status, status_at,
        quality, quality_at, rejected_reason, template_id, parameter_format, components_json, message_send_ttl_seconds)
      select *
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[],
        $8::text[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::integer[])
      order by 2, 3
      on conflict (waba_id, name, language) do update
      set category = excluded.category, category_at = excluded.category_at,
        status = excluded.status, status_at = excluded.status_at,
        quality = excluded.quality, quality_at = excluded.quality_at,
        template_id = excluded.template_id, parameter_format = excluded.parameter_format,
        components_json = excluded.components_json, rejected_reason = excluded.rejected_reason,
        message_send_ttl_seconds = excluded.message_send_ttl_seconds
      where (t.category, t.status, t.quality, t.template_id, t.parameter_format, t.components_json, t.rejected_reason,
          t.message_send_ttl_seconds)
        is distinct from (excluded.category, excluded.status, excluded.quality, excluded.template_id,
          excluded.parameter_format, excluded.components_json, excluded.rejected_reason,
          excluded.message_send_ttl_seconds)`,
    values: [
      ...keyArrays(templates.map((template) => ({ ...template, wabaId }))),
      ...reviewArrays(templates),
      templates.map(({ templateId }) => templateId),
      templates.map(({ parameterFormat }) => parameterFormat),
      templates.map(({ componentsJson }) => componentsJson),
      templates.map(({ messageSendTtlSeconds }) => messageSendTtlSeconds ?? null),
    ],
  });
}

/** Of a row that is locked: its edits that count, newest last. */
export async function saveEdits(tx: Queryable, key: AccountTemplateKey, edits: readonly Date[]): Promise<void> {
  await tx.query({
    name: "save_edits",
    text: "update templates.templates set edits = $4 where waba_id = $1 and name = $2 and language = $3",
    values: [key.wabaId, key.name, key.language, edits],
  });
}
