// What happened, by those who saw it: the simulator's phones, the receiver's log, the ledger by its REST.
import { z } from "zod";
import type { RunFile } from "#test/system.ts";

const phoneLogSchema = z.object({
  messages: z.array(
    z.object({
      wamid: z.string(),
      from: z.string(),
      type: z.string(),
      text: z.string(),
      biz_opaque_callback_data: z.string().optional(),
    }),
  ),
});

export type PhoneMessage = z.infer<typeof phoneLogSchema>["messages"][number];

async function getJson(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Everything that arrived on a user's phone, in order of arrival. */
export async function phoneMessages(run: RunFile, user: string): Promise<PhoneMessage[]> {
  return phoneLogSchema.parse(await getJson(`${run.simulator}/admin/phones/${user}/messages`)).messages;
}

const errorSchema = z.object({ code: z.number(), title: z.string() });
const statusSchema = z.object({
  id: z.string(),
  status: z.string(),
  recipient_id: z.string(),
  biz_opaque_callback_data: z.string().optional(),
  errors: z.array(errorSchema).optional(),
});
const inboundSchema = z.object({
  id: z.string(),
  from: z.string(),
  type: z.string(),
  text: z.object({ body: z.string() }).optional(),
});
const receiverLogSchema = z.object({
  entries: z.array(
    z.object({
      signatureOk: z.boolean(),
      body: z.object({
        entry: z.array(
          z.object({
            changes: z.array(
              z.object({
                field: z.string(),
                value: z.looseObject({
                  statuses: z.array(statusSchema).optional(),
                  messages: z.array(inboundSchema).optional(),
                }),
              }),
            ),
          }),
        ),
      }),
    }),
  ),
});

export type Webhooks = {
  statuses: z.infer<typeof statusSchema>[];
  inbound: z.infer<typeof inboundSchema>[];
  badSignatures: number;
};

/** What the customer's webhook received, in order of arrival. */
export async function webhooks(run: RunFile): Promise<Webhooks> {
  const { entries } = receiverLogSchema.parse(await getJson(`${run.receiver}/log`));
  const values = entries.flatMap(({ body }) => body.entry.flatMap(({ changes }) => changes.map(({ value }) => value)));
  return {
    statuses: values.flatMap((value) => value.statuses ?? []),
    inbound: values.flatMap((value) => value.messages ?? []),
    badSignatures: entries.filter(({ signatureOk }) => !signatureOk).length,
  };
}

/** The statuses of one message at the customer's webhook, in order of arrival. */
export async function statusesOf(run: RunFile, wamid: string): Promise<string[]> {
  return (await webhooks(run)).statuses.filter(({ id }) => id === wamid).map(({ status }) => status);
}

const ledgerSchema = z.looseObject({ state: z.string().optional() });

/** The ledger's state of an accepted message, such as read. */
export async function ledgerState(run: RunFile, wamid: string): Promise<string> {
  const url = `${run.gateway}/heliograph/v1/messages/${encodeURIComponent(wamid)}`;
  const row = ledgerSchema.parse(await getJson(url, { authorization: `Bearer ${run.token}` }));
  return row.state ?? "";
}
