// What a webhook in the Cloud dialect says, a line for each piece of news. Lenient: what it does not know it shows as JSON.
import { z } from "zod";

const text = z.string().catch("?");

const inbound = z.looseObject({ from: text, type: text, id: text });
const status = z.looseObject({
  id: text,
  status: text,
  recipient_id: text,
  pricing: z.object({ category: text, type: text }).optional().catch(undefined),
  errors: z
    .array(
      z.object({
        code: z.number(),
        title: z.string().optional(),
        error_data: z.object({ details: z.string() }).optional(),
      }),
    )
    .optional()
    .catch(undefined),
});
const messagesValue = z.looseObject({
  metadata: z.object({ display_phone_number: text }),
  contacts: z.array(z.looseObject({ wa_id: text, profile: z.object({ name: text }) })).catch([]),
  messages: z.array(inbound).catch([]),
  statuses: z.array(status).catch([]),
});
const envelope = z.object({
  entry: z.array(z.object({ id: text, changes: z.array(z.object({ field: text, value: z.unknown() })) })),
});

const longestShown = 200;

/** Never empty. */
export function describeWebhook(body: unknown): string[] {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) return [`a body that is not of the Cloud dialect: ${shorten(JSON.stringify(body))}`];
  const lines = parsed.data.entry.flatMap(({ id, changes }) =>
    changes.flatMap(({ field, value }) => describeChange(id, field, value)),
  );
  return lines.length === 0 ? ["a body without news"] : lines;
}

function describeChange(account: string, field: string, value: unknown): string[] {
  const messages = messagesValue.safeParse(value);
  if (field !== "messages" || !messages.success)
    return [`account ${account}: ${field} ${shorten(JSON.stringify(value))}`];
  const { metadata, contacts, messages: received, statuses } = messages.data;
  const own = `+${metadata.display_phone_number}`;
  return [
    ...received.map((message) => {
      const name = contacts.find(({ wa_id }) => wa_id === message.from)?.profile.name;
      return `${own} ← +${message.from}${name === undefined ? "" : ` (${name})`}: ${contentOf(message)}`;
    }),
    ...statuses.map((news) => `${own} → +${news.recipient_id}: ${describeStatus(news)}  ${shortenId(news.id)}`),
  ];
}

const textContent = z.object({ text: z.object({ body: z.string() }) });

function contentOf(message: z.infer<typeof inbound>): string {
  const plain = textContent.safeParse(message);
  if (plain.success) return JSON.stringify(shorten(plain.data.text.body));
  return `${message.type} ${shorten(JSON.stringify(message[message.type] ?? {}))}`;
}

function describeStatus({ status: word, pricing, errors = [] }: z.infer<typeof status>): string {
  const price = pricing === undefined ? "" : ` (${pricing.category}, ${pricing.type})`;
  const reasons = errors.map(({ code, title, error_data: data }) =>
    ` ${code} ${data?.details ?? title ?? ""}`.trimEnd(),
  );
  return `${word}${price}${reasons.join(",")}`;
}

function shorten(line: string): string {
  const flat = line.replaceAll(/\s+/g, " ");
  return flat.length <= longestShown ? flat : `${flat.slice(0, longestShown)}…`;
}

/** Ids share their beginning; the end tells them apart. */
function shortenId(id: string): string {
  return id.length <= 20 ? id : `…${id.slice(-12)}`;
}
