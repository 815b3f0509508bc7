// The load maker, a process of its own: sends text messages over the Cloud dialect and prints one line of JSON when done.
// Its job comes on standard input. Open loop (perSecond > 0): each request at its time whether or not earlier ones were answered,
// so a slow system shows its queue. Closed loop (perSecond = 0): `concurrency` requests always under way.
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { z } from "zod";

const jobSchema = z.object({
  gateway: z.string(),
  token: z.string(),
  phoneNumberIds: z.array(z.string()),
  users: z.array(z.string()),
  /** The text of each message is this and its index. */
  label: z.string(),
  count: z.number(),
  perSecond: z.number(),
  concurrency: z.number(),
});
export type Job = z.infer<typeof jobSchema>;

export type Sent = { wamid: string; startedAtMs: number; answeredAtMs: number };
export type LoadResult = { sent: Sent[]; refused: number; firstAtMs: number; lastAtMs: number; cpuSeconds: number };

const answerSchema = z.object({ messages: z.array(z.object({ id: z.string() })).min(1) });

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Fresh pairs of number and user as far as they go, so that the pair limit is met last. */
function target(job: Job, index: number): { phoneNumberId: string; user: string } {
  const phoneNumberId = job.phoneNumberIds[index % job.phoneNumberIds.length] ?? "";
  const user = job.users[Math.floor(index / job.phoneNumberIds.length) % job.users.length] ?? "";
  return { phoneNumberId, user };
}

async function sendOne(pool: Pool, job: Job, index: number): Promise<Sent | undefined> {
  const { phoneNumberId, user } = target(job, index);
  const startedAtMs = nowMs();
  const { statusCode, body } = await pool.request({
    method: "POST",
    path: `/v24.0/${phoneNumberId}/messages`,
    headers: { authorization: `Bearer ${job.token}`, "content-type": "application/json" },
    body: JSON.stringify({
      messaging_product: "whatsapp",
      to: `+${user}`,
      type: "text",
      text: { body: `${job.label} ${index}` },
    }),
  });
  const answer = await body.json();
  if (statusCode !== 200) return undefined;
  return { wamid: answerSchema.parse(answer).messages[0]?.id ?? "", startedAtMs, answeredAtMs: nowMs() };
}

async function openLoop(pool: Pool, job: Job): Promise<(Sent | undefined)[]> {
  const startedAt = performance.now();
  const underWay: Promise<Sent | undefined>[] = [];
  for (let index = 0; index < job.count; index++) {
    const dueInMs = startedAt + (index * 1_000) / job.perSecond - performance.now();
    if (dueInMs > 0) await delay(dueInMs);
    underWay.push(sendOne(pool, job, index));
  }
  return Promise.all(underWay);
}

async function closedLoop(pool: Pool, job: Job): Promise<(Sent | undefined)[]> {
  const results: (Sent | undefined)[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < job.count) {
      const index = next++;
      results.push(await sendOne(pool, job, index));
    }
  };
  await Promise.all(Array.from({ length: job.concurrency }, worker));
  return results;
}

const job = jobSchema.parse(JSON.parse(await text(process.stdin)));
const pool = new Pool(job.gateway, { connections: 64, pipelining: 1 });
const results = await (job.perSecond > 0 ? openLoop(pool, job) : closedLoop(pool, job));
await pool.close();
const sent = results.filter((result) => result !== undefined);
const { user, system } = process.cpuUsage();
const result: LoadResult = {
  sent,
  refused: results.length - sent.length,
  firstAtMs: sent.reduce((first, { startedAtMs }) => Math.min(first, startedAtMs), Number.POSITIVE_INFINITY),
  lastAtMs: sent.reduce((last, { answeredAtMs }) => Math.max(last, answeredAtMs), 0),
  cpuSeconds: (user + system) / 1_000_000,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
