// The world at the start: the app, and the businesses with their accounts, numbers and templates. Read from SEED_FILE (YAML or
// JSON), else default-world.json, whose ids deploy/samples uses. Templates are written as Graph lists them.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { ConfigError } from "#lib/config.ts";

const id = z.union([
  z.string().regex(/^\d{1,25}$/, "expected a decimal id"),
  z.int("ids beyond 2^53 must be quoted").positive().transform(String),
]);

const tier = z.enum([
  "TIER_50",
  "TIER_250",
  "TIER_1K",
  "TIER_2K",
  "TIER_10K",
  "TIER_100K",
  "TIER_UNLIMITED",
  "TIER_NOT_SET",
]);
const quality = z.enum(["GREEN", "YELLOW", "RED", "UNKNOWN"]);
const digits = z.union([z.string(), z.int().transform(String)]).transform((text) => text.replace(/[+\-() ]/g, ""));

const button = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  url: z.string().optional(),
});

const component = z.looseObject({
  type: z.string(),
  format: z.string().optional(),
  text: z.string().optional(),
  buttons: z.array(button).optional(),
});

const template = z.object({
  id,
  name: z.string().regex(/^[a-z0-9_]{1,512}$/, "expected a to z, 0 to 9 and _"),
  language: z.string().min(2),
  category: z.enum(["MARKETING", "UTILITY", "AUTHENTICATION"]),
  status: z.string().default("APPROVED"),
  rejected_reason: z.string().default("NONE"),
  quality_score: quality.default("UNKNOWN"),
  parameter_format: z.enum(["POSITIONAL", "NAMED"]).default("POSITIONAL"),
  message_send_ttl_seconds: z.int().optional(),
  components: z.array(component),
});

const number = z.object({
  id,
  displayPhoneNumber: digits.pipe(z.string().regex(/^[1-9]\d{5,16}$/, "expected a phone number with country code")),
  verifiedName: z.string(),
  qualityRating: quality.default("GREEN"),
  status: z.string().default("CONNECTED"),
  nameStatus: z.string().default("APPROVED"),
  /** Of the code that proves ownership: registering needs VERIFIED. */
  codeVerificationStatus: z.enum(["VERIFIED", "NOT_VERIFIED", "EXPIRED"]).default("VERIFIED"),
  /** False: sends answer 133010 until it is registered. */
  registered: z.boolean().default(true),
  /** Connected to the On-Premises API: sends answer 133010 until it is registered here. */
  onPremises: z.boolean().default(false),
  /** Sends answer 133010 though it reads CONNECTED, until it is registered or deregistered. */
  takenElsewhere: z.boolean().default(false),
  /** Of two-step verification; without one, the first to register sets it. */
  pin: z
    .string()
    .regex(/^\d{6}$/, "expected six digits")
    .optional(),
  throughputLevel: z.enum(["STANDARD", "HIGH", "NOT_APPLICABLE"]).default("STANDARD"),
  /** Of a test number: the only users it may write to. */
  allowedRecipients: z.array(digits).optional(),
});

const account = z.object({
  id,
  name: z.string(),
  currency: z.string().default("USD"),
  timezoneId: z.string().default("1"),
  reviewStatus: z.string().default("APPROVED"),
  /** `missing`: as without a valid payment method. */
  payment: z.enum(["ok", "missing"]).default("ok"),
  /** Whether the app receives this account's webhooks. */
  subscribed: z.boolean().default(true),
  numbers: z.array(number),
  templates: z.array(template).default([]),
});

const business = z.object({
  id,
  name: z.string(),
  verificationStatus: z.string().default("verified"),
  /** Shared by all numbers of the business. */
  messagingLimitTier: tier.default("TIER_2K"),
  accounts: z.array(account),
});

const app = z.object({
  id,
  name: z.string().default("App"),
  secret: z.string().min(1),
  accessTokens: z.array(z.string().min(1)).min(1),
  webhookUrl: z.url().optional(),
  verifyToken: z.string().default(""),
});

const worldSchema = z.object({ app, businesses: z.array(business).min(1) });

export type World = z.output<typeof worldSchema>;
export type AppWorld = World["app"];
export type BusinessWorld = World["businesses"][number];
export type AccountWorld = BusinessWorld["accounts"][number];
export type NumberWorld = AccountWorld["numbers"][number];
export type TemplateWorld = AccountWorld["templates"][number];

export const tierSchema = tier;
export const qualitySchema = quality;
export const categorySchema = template.shape.category;
export const componentsSchema = template.shape.components;
export const parameterFormatSchema = template.shape.parameter_format.unwrap();

const defaultFile = new URL("default-world.json", import.meta.url);

/** Reads and checks a world file. Throws ConfigError with every fault in it. */
export function readWorld(path: string | undefined): World {
  const name = path ?? defaultFile.pathname;
  let document: unknown;
  try {
    document = parse(readFileSync(path ?? defaultFile, "utf8"));
  } catch (error) {
    throw new ConfigError([
      `world file ${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  const result = worldSchema.safeParse(document);
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => `${name}: ${issue.path.map(String).join(".")}: ${issue.message}`),
  );
}
