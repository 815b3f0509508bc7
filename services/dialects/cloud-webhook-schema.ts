// The parts of Meta's webhook body that we read. What a message or status cannot do without is checked, what only adorns it
// (names, prices, texts of errors) is dropped when malformed. Unknown fields pass.
import { z } from "zod";

/** Proto and Postgres take neither lone surrogates nor NUL. */
const text = z.string().transform((value) => value.toWellFormed().replaceAll("\0", "\uFFFD"));

const id = z.union([text.pipe(z.string().min(1)), z.int().nonnegative().transform(String)]);

// Meta writes strings in messages and statuses, numbers elsewhere. The bound is protobuf's: the year 9999.
const seconds = z
  .union([
    z
      .string()
      .regex(/^\d{1,12}$/)
      .transform(Number),
    z.int().nonnegative(),
  ])
  .pipe(z.int().max(253_402_300_799));

const optionalText = text.optional().catch(undefined);

export const envelopeSchema = z.object({ object: z.literal("whatsapp_business_account"), entry: z.array(z.unknown()) });

export const entrySchema = z.object({ id, time: seconds.optional().catch(undefined), changes: z.array(z.unknown()) });

export const changeSchema = z.object({ field: text.pipe(z.string().min(1)), value: z.unknown() });

const contactSchema = z.object({
  wa_id: optionalText,
  user_id: optionalText,
  profile: z.object({ name: optionalText }).optional().catch(undefined),
});

export const messagesValueSchema = z.object({
  metadata: z.object({ phone_number_id: id }),
  contacts: z.array(contactSchema.catch({})).optional().catch(undefined),
  messages: z.array(z.unknown()).optional(),
  statuses: z.array(z.unknown()).optional(),
});

export const messageSchema = z.object({
  id,
  timestamp: seconds,
  from: optionalText,
  from_user_id: optionalText,
  type: text.pipe(z.string().min(1)).catch("unknown"),
  context: z.object({ id: optionalText }).optional().catch(undefined),
});

const errorSchema = z.object({
  code: z.int().min(0).max(0xffff_ffff),
  title: optionalText,
  message: optionalText,
  href: optionalText,
  error_data: z
    .union([z.object({ details: optionalText }), text.transform((details) => ({ details }))])
    .optional()
    .catch(undefined),
});

export const statusSchema = z.object({
  id,
  status: text.pipe(z.string().min(1)),
  timestamp: seconds,
  recipient_id: optionalText,
  recipient_user_id: optionalText,
  biz_opaque_callback_data: optionalText,
  pricing: z
    .object({
      billable: z.boolean().optional().catch(undefined),
      pricing_model: optionalText,
      type: optionalText,
      category: optionalText,
    })
    .optional()
    .catch(undefined),
  conversation: z
    .object({
      id: optionalText,
      origin: z.object({ type: optionalText }).optional().catch(undefined),
      expiration_timestamp: seconds.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  errors: z.array(errorSchema.nullable().catch(null)).optional().catch(undefined),
});

export type Contact = z.output<typeof contactSchema>;
export type InboundJson = z.output<typeof messageSchema>;
export type StatusJson = z.output<typeof statusSchema>;
