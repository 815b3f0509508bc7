// Races that a customer's software meets: a bot that answers at once, a message of which nobody knows whether WhatsApp took it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as bodyOf } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { postMessage, send, template, text, userWrites } from "#test/client.ts";
import { phoneMessages } from "#test/judge.ts";
import { startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";

const webhookSchema = z.object({
  entry: z.array(
    z.object({
      changes: z.array(
        z.object({
          value: z.looseObject({
            metadata: z.looseObject({ phone_number_id: z.string() }).optional(),
            messages: z.array(z.looseObject({ id: z.string(), from: z.string() })).optional(),
            statuses: z
              .array(
                z.looseObject({
                  id: z.string(),
                  status: z.string(),
                  errors: z.array(z.looseObject({ code: z.number() })).optional(),
                }),
              )
              .optional(),
          }),
        }),
      ),
    }),
  ),
});

type Value = z.infer<typeof webhookSchema>["entry"][number]["changes"][number]["value"];

/** A customer's webhook: keeps what comes, and gives each to `onValue` before it answers 200. */
async function startWebhook() {
  const values: Value[] = [];
  const webhook = { onValue: (_: Value): void => undefined };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      for (const { changes } of webhookSchema.parse(JSON.parse(body)).entry) {
        for (const { value } of changes) {
          values.push(value);
          webhook.onValue(value);
        }
      }
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = isAddress(address) ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/webhook`,
    webhook,
    /** `sent`, `failed 131047`, …: in order of arrival. */
    statusesOf: (id: string): string[] =>
      values.flatMap(({ statuses = [] }) =>
        statuses.flatMap((one) => (one.id === id ? [[one.status, one.errors?.[0]?.code].join(" ").trim()] : [])),
      ),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

/** The sample's manifests, whose numbers give up what is unknown after ten seconds; the second sends it again. */
async function impatientNumbers(folder: string): Promise<string> {
  await cp("deploy/samples", folder, { recursive: true });
  const path = join(folder, "numbers.yaml");
  const [first = "", second = ""] = (await readFile(path, "utf8")).trimEnd().split("\n---\n");
  const numbers = [
    `${first}\n  unknownTimeoutSeconds: 10\n`,
    `${second}\n  unknownTimeoutSeconds: 10\n  unknownPolicy: Resend\n`,
  ];
  await writeFile(path, numbers.join("---\n"));
  return folder;
}

describe("outcomes", () => {
  const opened = new AsyncDisposableStack();
  let system: System;
  let customer: Awaited<ReturnType<typeof startWebhook>>;

  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), "heliograph-outcomes-"));
    opened.defer(() => rm(folder, { recursive: true }));
    customer = opened.use(await startWebhook());
    system = opened.use(await startSystem({ numbersDir: await impatientNumbers(folder), webhook: customer.url }));
  });
  after(() => opened.disposeAsync());

  const number = (at: 0 | 1) => system.run.numbers[at] ?? assert.fail();

  async function simulate(path: string, body: unknown): Promise<void> {
    const response = await fetch(`${system.run.simulator}/admin${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.ok(response.ok, await response.text());
  }

  async function historyOf(id: string): Promise<string[]> {
    const headers = { authorization: `Bearer ${system.run.token}` };
    const answer = await fetch(`${system.run.gateway}/heliograph/v1/messages/${id}`, { headers });
    const step = z.looseObject({ state: z.string(), attempt: z.number().default(0), reason: z.string().default("") });
    const { history } = z.looseObject({ history: z.array(step) }).parse(await answer.json());
    return history.map(({ state, attempt, reason }) => `${state} ${attempt} ${reason}`.trim());
  }

  test("a bot that answers as soon as it has the webhook finds the window open, on both numbers at once", async () => {
    const replies: Promise<{ user: string; id: string }>[] = [];
    customer.webhook.onValue = ({ metadata, messages = [] }) => {
      for (const { from } of messages) {
        const answer = async () => {
          const id = await send(system.run, metadata?.phone_number_id ?? "", text(from, "at your service"));
          return { user: from, id };
        };
        replies.push(answer());
      }
    };
    const users = Array.from({ length: 40 }, (_, at) => String(12_025_550_200 + at));
    await Promise.all(
      users.map((user, at) => userWrites(system.run, user, number(at % 2 === 0 ? 0 : 1).displayPhoneNumber, "hi")),
    );
    await until(() => replies.length >= users.length, { timeoutMs: 30_000 });
    customer.webhook.onValue = () => undefined;
    const sent = await Promise.all(replies);
    assert.deepEqual(new Set(sent.map(({ user }) => user)), new Set(users));
    for (const { id } of sent) {
      await until(
        () => customer.statusesOf(id).some((status) => status === "delivered" || status.startsWith("failed")),
        {
          timeoutMs: 30_000,
        },
      );
      assert.ok(!customer.statusesOf(id).some((status) => status.startsWith("failed")), customer.statusesOf(id).join());
    }
  });

  test("what nobody knows is failed in time, a late status still corrects it, and both are told", async () => {
    const user = "12025550301";
    // WhatsApp takes it without saying so, and its statuses are late.
    await simulate("/faults", [
      { id: "late", kind: "webhook_delay", ms: 40_000, match: { to: user } },
      { id: "cut", kind: "cut_before", match: { to: "12025550302", path: "/messages" }, times: 1 },
      {
        id: "lost",
        kind: "status",
        status: 500,
        code: 131_000,
        accepted: true,
        match: { to: user, path: "/messages" },
      },
    ]);
    const late = await send(system.run, number(0).phoneNumberId, template(user, "hello_world"));
    const again = await send(system.run, number(1).phoneNumberId, template("12025550302", "hello_world"));
    await until(() => customer.statusesOf(late).includes("delivered"), { timeoutMs: 90_000 });
    assert.equal(customer.statusesOf(late)[0], "failed 131000");
    assert.equal((await phoneMessages(system.run, user)).length, 1);
    assert.deepEqual((await historyOf(late)).slice(1, 4), [
      "sending 1",
      "unknown 1 upstream_error_131000",
      "failed 1 unknown_outcome",
    ]);

    // A number that wants what is unknown sent again takes the risk, which stays on record.
    await until(() => customer.statusesOf(again).includes("delivered"), { timeoutMs: 60_000 });
    assert.deepEqual((await historyOf(again)).slice(1, 5), [
      "sending 1",
      "unknown 1 connection_cut",
      "accepted 1 resend",
      "sending 2",
    ]);
    assert.equal((await phoneMessages(system.run, "12025550302")).length, 1);
  });

  test("a repeated key in parallel is one message on the phone", async () => {
    const user = "12025550303";
    const key = { "idempotency-key": "parallel" };
    const body = template(user, "hello_world");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => postMessage(system.run, number(0).phoneNumberId, body, key)),
    );
    assert.equal(new Set(answers.map(({ body: answer }) => JSON.stringify(answer))).size, 1);
    await until(async () => (await phoneMessages(system.run, user)).length > 0);
    assert.equal((await phoneMessages(system.run, user)).length, 1);
  });
});
