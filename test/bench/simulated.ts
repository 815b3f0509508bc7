// The simulated WhatsApp from outside: its settings, its faults, what it took and when, and what its users write.
import { z } from "zod";
import { userWrites } from "#test/client.ts";
import type { RunFile } from "#test/system.ts";

async function ask(url: string, method: string, body?: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** No limits, short times on the phones, and the level at which a number may send 1,000 messages a second. */
export async function openLimits({ simulator, numbers }: RunFile): Promise<void> {
  const limits = { throughput: false, pair: false };
  await ask(`${simulator}/admin/settings`, "PUT", { limits, deliverAfterMs: 50, readAfterMs: 100 });
  for (const { phoneNumberId } of numbers)
    await ask(`${simulator}/admin/numbers/${phoneNumberId}`, "PUT", { throughputLevel: "HIGH" });
}

/** Returns what ends it. */
export async function inflict({ simulator }: RunFile, fault: object): Promise<() => Promise<void>> {
  const id = `bench-${performance.now()}`;
  await ask(`${simulator}/admin/faults`, "POST", { id, ...fault });
  return async () => void (await ask(`${simulator}/admin/faults/${id}`, "DELETE"));
}

/** `atMs` since the epoch: the simulator's clock is this machine's. */
export type Acceptance = { messageId: string; phoneNumberId: string; to: string; text: string; atMs: number };

const page = z.object({
  duplicates: z.array(z.unknown()),
  messages: z.array(
    z.object({
      phoneNumberId: z.string(),
      to: z.string(),
      text: z.string(),
      biz_opaque_callback_data: z.string().default(""),
      acceptedAt: z.number(),
    }),
  ),
  next: z.number().nullable(),
});
// The simulator walks through all it has for each page.
const pageSize = 20_000;

/** Everything that WhatsApp took, in that order, and how many messages it took more than once. */
export async function acceptances({ simulator }: RunFile): Promise<{ taken: Acceptance[]; twice: number }> {
  const taken: Acceptance[] = [];
  for (let after = 0; ;) {
    const found = page.parse(await ask(`${simulator}/admin/messages?limit=${pageSize}&after=${after}`, "GET"));
    for (const { phoneNumberId, to, text, biz_opaque_callback_data: data, acceptedAt } of found.messages)
      taken.push({ messageId: data.replace(/\.\d+$/, ""), phoneNumberId, to, text, atMs: acceptedAt });
    if (found.next === null) return { taken, twice: found.duplicates.length };
    after = found.next;
  }
}

const writersAtOnce = 8;

/** Each user writes to each number, which opens the customer service window. */
export async function openWindows(run: RunFile, users: readonly string[]): Promise<void> {
  const open = users.flatMap((user) => run.numbers.map(({ displayPhoneNumber }) => ({ user, displayPhoneNumber })));
  const writer = async (): Promise<void> => {
    for (let next = open.pop(); next !== undefined; next = open.pop())
      await userWrites(run, next.user, next.displayPhoneNumber, "hello");
  };
  await Promise.all(Array.from({ length: writersAtOnce }, writer));
}
