// Gathers what the judges look at, from those who saw it.
import { z } from "zod";
import { webhooks } from "#test/judge.ts";
import type { RunFile } from "#test/system.ts";
import { readAudit } from "./audit.ts";
import type { Evidence, Frame } from "./judges.ts";
import type { LoadLog } from "./load.ts";

const pageSchema = z.object({
  messages: z.array(
    z.object({
      biz_opaque_callback_data: z.string().default(""),
      to: z.string(),
      text: z.string(),
      acceptedAt: z.number(),
      deliveredAt: z.number().nullable(),
    }),
  ),
  next: z.union([z.number(), z.string(), z.null()]).optional(),
});

/** Everything that WhatsApp took. */
async function readFrames({ simulator }: RunFile): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let after: string | number | null | undefined = 0; after !== null && after !== undefined;) {
    const response = await fetch(`${simulator}/admin/messages?limit=1000&after=${after}`);
    const { messages, next } = pageSchema.parse(await response.json());
    for (const { biz_opaque_callback_data: callbackData, ...frame } of messages)
      frames.push({ callbackData, ...frame });
    after = next;
  }
  return frames;
}

export async function gather(run: RunFile, databaseUrl: string, load: LoadLog): Promise<Evidence> {
  const [frames, news, audit] = await Promise.all([readFrames(run), webhooks(run), readAudit(databaseUrl)]);
  return {
    accepted: load.accepted,
    refused: load.refused,
    inbound: load.inbound,
    frames,
    statuses: news.statuses,
    inboundAtWebhook: new Set(news.inbound.map(({ id }) => id)),
    badSignatures: news.badSignatures,
    audit,
  };
}
