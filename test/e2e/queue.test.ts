// A number whose queue is full: clients are told to come back, what waits can be looked at and taken back, and its client hears of it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { createClient } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { postMessage, send, text } from "#test/client.ts";
import { webhooks } from "#test/judge.ts";
import { startSystem } from "#test/system.ts";
import { until } from "#test/until.ts";

const runSchema = z.object({ processes: z.array(z.object({ name: z.string(), grpc: z.string().nullable() })) });
const listSchema = z.object({
  messages: z.array(z.object({ messageId: z.string(), state: z.string(), recipient: z.string() })),
  nextPageToken: z.string().optional(),
});

// Declared, but no process connects it.
const phoneNumberId = "900000000000001";

test("over its queue limit a number refuses with Retry-After, and takes more once some are cancelled", async () => {
  await using system = await startSystem();
  const { run } = system;
  const { processes } = runSchema.parse(JSON.parse(await readFile(join(system.dataDir, "run.json"), "utf8")));
  await using messages = createClient(MessagesService, processes.find(({ name }) => name === "messages")?.grpc ?? "");
  const wabaId = run.numbers[0]?.wabaId ?? "";
  await messages.applyNumber({
    number: { phoneNumberId, wabaId, displayPhoneNumber: "15550199999", name: "silent", spec: { queueLimit: 3 } },
  });
  const ask = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = { authorization: `Bearer ${run.token}`, "content-type": "application/json" };
    return (await fetch(`${run.gateway}/heliograph/v1/messages${path}`, { headers, ...init })).json();
  };
  const users = ["12025550131", "12025550132", "12025550133"];
  const campaign = { "heliograph-campaign": "spring" };
  const accepted = await Promise.all(
    users.map(async (user) => {
      const post = () => postMessage(run, phoneNumberId, text(user, "wait"), campaign);
      // The gateway learns of a number a moment after it is declared.
      const answer = await until(async () => post().then((one) => one.status === 200 && one));
      return z.object({ messages: z.tuple([z.object({ id: z.string() })]) }).parse(answer.body).messages[0].id;
    }),
  );
  const refused = await until(async () => {
    const answer = await postMessage(run, phoneNumberId, text("12025550134", "too much"));
    return answer.status !== 200 && answer;
  });
  assert.match(JSON.stringify(refused.body), /"code":131016/);
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);

  const page = listSchema.parse(await ask(`?number=${phoneNumberId}&campaign=spring&limit=2`));
  const rest = listSchema.parse(await ask(`?number=${phoneNumberId}&campaign=spring&page=${page.nextPageToken ?? ""}`));
  assert.deepEqual([page.messages.length, rest.messages.length, rest.nextPageToken], [2, 1, undefined]);
  const one = await ask(`/${accepted[0] ?? ""}`, { method: "DELETE" });
  assert.match(JSON.stringify(one), /"state":"cancelled".*"history":\[/);
  const body = JSON.stringify({ number: phoneNumberId, campaign: "spring" });
  assert.deepEqual(await ask("/cancel", { method: "POST", body }), { cancelled: 2 });

  await until(async () => send(run, phoneNumberId, text("12025550135", "room again")));
  const told = await until(async () => {
    const statuses = (await webhooks(run)).statuses.filter(({ id }) => accepted.includes(id));
    return statuses.length === 3 && statuses;
  });
  assert.ok(told.every(({ status, errors }) => status === "failed" && errors?.[0]?.code === 131_000));
});
