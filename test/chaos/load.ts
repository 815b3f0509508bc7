// The customer: sends at a steady rate, keeps a list of what was accepted, and repeats each request by its key until it is. Users
// write to the business meanwhile.
import { randomUUID } from "node:crypto";
import { fromWamid } from "#dialects/message-id.ts";
import { sleep } from "#lib/lifecycle.ts";
import { postMessage, template, text, userWrites } from "#test/client.ts";
import { webhooks } from "#test/judge.ts";
import type { RunFile } from "#test/system.ts";
import { until } from "#test/until.ts";
import { z } from "zod";
import type { Stage } from "./stage.ts";

export type Accepted = { wamid: string; messageId: string; phoneNumberId: string; user: string; words: string };

export type LoadLog = {
  accepted: readonly Accepted[];
  /** Answers that no outage explains, and what was never accepted. */
  refused: readonly string[];
  /** WhatsApp's ids of what users wrote. */
  inbound: readonly string[];
};

export type Load = LoadLog & { stop(): Promise<void> };

const acceptedSchema = z.object({ messages: z.array(z.object({ id: z.string() })).min(1) });
// What a client must expect of a server in trouble, and answer by asking again.
const passing = new Set([429, 500, 502, 503, 504]);
// After the last fault, when everything is to work again.
const giveUpMs = 60_000;
const firstPauseMs = 100;
const longestPauseMs = 1_000;
const inboundShare = 10;
// A customer who waits for answers to so many sends nothing more meanwhile.
const mostUnderWay = 40;

/** Users enough that no pair of number and user meets the pair rate of one message in 6 s. */
export const users = Array.from({ length: 60 }, (_, index) => `1202555${String(2_000 + index)}`);

/** `perSecond` over all numbers. One in four is a template. */
export function startLoad(run: RunFile, perSecond: number): Load {
  const accepted: Accepted[] = [];
  const refused: string[] = [];
  const inbound: string[] = [];
  const underWay = new Set<Promise<void>>();
  let count = 0;
  let giveUpAt = Number.POSITIVE_INFINITY;

  async function send(index: number): Promise<void> {
    const user = users[Math.floor(index / run.numbers.length) % users.length] ?? "";
    const phoneNumberId = run.numbers[index % run.numbers.length]?.phoneNumberId ?? "";
    const words = `message ${index}`;
    const key = randomUUID();
    for (let pauseMs = firstPauseMs; performance.now() < giveUpAt; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const answer = await postMessage(run, phoneNumberId, bodyOf(index, user, words), {
        "idempotency-key": key,
      }).catch(() => undefined);
      if (answer?.status === 200) {
        const wamid = acceptedSchema.parse(answer.body).messages[0]?.id ?? "";
        accepted.push({ wamid, messageId: fromWamid(wamid) ?? "", phoneNumberId, user, words });
        return;
      }
      if (answer !== undefined && !passing.has(answer.status)) {
        refused.push(`${words}: ${answer.status} ${JSON.stringify(answer.body)}`);
        return;
      }
      await sleep(pauseMs);
    }
    refused.push(`${words}: not accepted within ${giveUpMs} ms after the last fault`);
  }

  async function write(index: number): Promise<void> {
    const number = run.numbers[index % run.numbers.length]?.displayPhoneNumber ?? "";
    inbound.push(await userWrites(run, users[index % users.length] ?? "", number, `hello ${index}`));
  }

  const track = (work: Promise<void>): void => {
    underWay.add(work);
    void work
      .catch((error: unknown) => void refused.push(`load: ${String(error)}`))
      .finally(() => underWay.delete(work));
  };
  const timer = setInterval(() => {
    if (underWay.size >= mostUnderWay) return;
    const index = count++;
    track(send(index));
    if (index % inboundShare === 0) track(write(index / inboundShare));
  }, 1_000 / perSecond);
  return {
    accepted,
    refused,
    inbound,
    async stop() {
      clearInterval(timer);
      giveUpAt = performance.now() + giveUpMs;
      await Promise.allSettled(underWay);
    },
  };
}

function bodyOf(index: number, user: string, words: string): object {
  if (index % 4 !== 0) return text(user, words);
  const parameters = ["Ana", words].map((value) => ({ type: "text", text: value }));
  return template(user, "order_update", "en_US", [{ type: "body", parameters }]);
}

/** Every user writes to every number, so that free-form messages may go. Resolves when the webhook knows. */
export async function openWindows({ system }: Pick<Stage, "system">): Promise<void> {
  const { run } = system;
  const wamids = new Set<string>();
  for (const user of users)
    for (const { displayPhoneNumber } of run.numbers)
      wamids.add(await userWrites(run, user, displayPhoneNumber, "hello"));
  const arrived = async (): Promise<boolean> =>
    wamids.isSubsetOf(new Set((await webhooks(run)).inbound.map(({ id }) => id)));
  await until(arrived, { timeoutMs: 30_000, message: "what the users wrote did not come to the webhook" });
}
