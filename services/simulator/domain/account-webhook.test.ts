import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type NumberFacts,
  numberNews,
  templateCategoryNews,
  templateQualityNews,
  templateStatusNews,
  tierSize,
} from "./account-webhook.ts";

const healthy: NumberFacts = {
  qualityRating: "GREEN",
  messagingLimitTier: "TIER_2K",
  status: "CONNECTED",
  throughputLevel: "STANDARD",
};

type Case = [
  sentence: string,
  before: Partial<NumberFacts>,
  after: Partial<NumberFacts>,
  news: [field: string, value: object][],
];
const cases: Case[] = [
  ["nothing changed, nothing is told", {}, {}, []],
  ["a rating between green and yellow makes no webhook", {}, { qualityRating: "YELLOW" }, []],
  [
    "a higher throughput level",
    {},
    { throughputLevel: "HIGH" },
    [["phone_number_quality_update", quality("THROUGHPUT_UPGRADE", "TIER_2K")]],
  ],
  [
    "a higher tier is told to the business and of the number",
    {},
    { messagingLimitTier: "TIER_10K" },
    [
      [
        "business_capability_update",
        { max_daily_conversations_per_business: 10_000, max_phone_numbers_per_business: 20 },
      ],
      ["phone_number_quality_update", quality("UPGRADE", "TIER_10K")],
    ],
  ],
  [
    "no limit is -1, and no downgrade",
    {},
    { messagingLimitTier: "TIER_UNLIMITED" },
    [
      ["business_capability_update", { max_daily_conversations_per_business: -1, max_phone_numbers_per_business: 20 }],
      ["phone_number_quality_update", quality("UPGRADE", "TIER_UNLIMITED")],
    ],
  ],
  [
    "a lower tier is a downgrade",
    { messagingLimitTier: "TIER_UNLIMITED" },
    { messagingLimitTier: "TIER_250" },
    [
      ["business_capability_update", { max_daily_conversations_per_business: 250, max_phone_numbers_per_business: 20 }],
      ["phone_number_quality_update", quality("DOWNGRADE", "TIER_250")],
    ],
  ],
  [
    "a red rating flags",
    {},
    { qualityRating: "RED" },
    [["phone_number_quality_update", quality("FLAGGED", "TIER_2K")]],
  ],
  [
    "red and flagged at once is told once",
    {},
    { qualityRating: "RED", status: "FLAGGED" },
    [["phone_number_quality_update", quality("FLAGGED", "TIER_2K")]],
  ],
  ["back from flagged", { status: "FLAGGED" }, {}, [["phone_number_quality_update", quality("UNFLAGGED", "TIER_2K")]]],
  [
    "a restriction",
    {},
    { status: "RESTRICTED" },
    [
      [
        "account_update",
        {
          event: "ACCOUNT_RESTRICTION",
          restriction_info: [{ restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING" }],
        },
      ],
    ],
  ],
  [
    "a ban",
    {},
    { status: "BANNED" },
    [["account_update", { event: "DISABLED_UPDATE", ban_info: { waba_ban_state: "DISABLE" } }]],
  ],
  [
    "the end of a ban",
    { status: "BANNED" },
    {},
    [["account_update", { event: "DISABLED_UPDATE", ban_info: { waba_ban_state: "REINSTATE" } }]],
  ],
];
for (const [sentence, before, after, news] of cases) {
  test(sentence, () => {
    const told = numberNews("15550100001", { ...healthy, ...before }, { ...healthy, ...after });
    assert.deepEqual(
      told.map(({ field, value }) => [field, JSON.parse(value)]),
      news,
    );
  });
}

function quality(event: string, tier: string): object {
  return { display_phone_number: "15550100001", event, max_daily_conversations_per_business: tier };
}

const template = { templateId: "90071992547409937", name: "order_update", language: "en_US", category: "UTILITY" };

test("a template's id is a JSON number, also beyond 2^53", () => {
  const { field, value } = templateStatusNews(template, "PAUSED", "NONE");
  assert.equal(field, "message_template_status_update");
  assert.match(value, /^\{"message_template_id":90071992547409937,"message_template_name":"order_update"/);
  const { message_template_id: _id, ...rest } = JSON.parse(value);
  assert.deepEqual(rest, {
    message_template_name: "order_update",
    message_template_language: "en-US",
    event: "PAUSED",
    reason: "NONE",
    message_template_category: "UTILITY",
    other_info: { title: "FIRST_PAUSE", description: "Template has received low quality feedback" },
  });
});

test("a template's quality and category say what they were", () => {
  assert.deepEqual(JSON.parse(templateQualityNews(template, "GREEN", "RED").value).previous_quality_score, "GREEN");
  assert.deepEqual(JSON.parse(templateCategoryNews(template, "UTILITY", "MARKETING").value).new_category, "MARKETING");
});

test("an unknown tier counts as no limit", () => assert.equal(tierSize("TIER_UNLIMITED"), -1));
