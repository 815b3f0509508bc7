// What is explained is what happens: the same body is explained, then sent, and the phone, the webhook and the answer agree.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { postMessage, template, text, userWrites } from "#test/client.ts";
import { phoneMessages, webhooks } from "#test/judge.ts";
import { startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";

const explainedSchema = z.looseObject({
  verdict: z.string(),
  reason: z.string().optional(),
  remedy: z.string().optional(),
  error: z.object({ code: z.number() }).optional(),
  earliestAt: z.string().nullable(),
  window: z.object({ open: z.boolean(), leftSeconds: z.number() }).optional(),
  category: z.string().optional(),
  price: z.null(),
  priceUnknown: z.string(),
  limit: z.object({ limit: z.number().nullable(), used: z.number(), usedAfter: z.number() }).optional(),
});
const acceptedSchema = z.object({ messages: z.array(z.object({ id: z.string() })).min(1) });
const errorSchema = z.object({ error: z.object({ code: z.number() }) });

describe("explained, then sent", () => {
  let system: System;
  before(async () => {
    system = await startSystem();
  });
  after(() => system[Symbol.asyncDispose]());

  const number = () => {
    const [first] = system.run.numbers;
    assert.ok(first);
    return first;
  };

  async function post(body: object): Promise<unknown> {
    const { gateway, token } = system.run;
    const response = await fetch(`${gateway}/heliograph/v1/explain?number=${number().phoneNumberId}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const answer: unknown = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  }

  const explain = async (body: object) => explainedSchema.parse(await post(body));

  /** The code of the refusal that the real send meets, at once or at the webhook; 0: it reached the phone. */
  async function send(user: string, body: object): Promise<number> {
    const had = (await phoneMessages(system.run, user)).length;
    const answer = await postMessage(system.run, number().phoneNumberId, body);
    if (answer.status !== 200) return errorSchema.parse(answer.body).error.code;
    const id = acceptedSchema.parse(answer.body).messages[0]?.id;
    return until(
      async () => {
        if ((await phoneMessages(system.run, user)).length > had) return { code: 0 };
        const failed = (await webhooks(system.run)).statuses.find((one) => one.id === id && one.status === "failed");
        return failed && { code: failed.errors?.[0]?.code ?? -1 };
      },
      { message: "neither on the phone nor failed" },
    ).then(({ code }) => code);
  }

  async function admin(path: string, body: object): Promise<void> {
    const init = { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${system.run.simulator}/admin/${path}`, init);
    assert.ok(response.ok, await response.text());
  }

  test("a text to a user who never wrote: refused with 131047, both times", async () => {
    const body = text("12025550131", "hello?");
    const explained = await explain(body);
    assert.deepEqual(
      [explained.verdict, explained.reason, explained.error?.code, explained.window?.open],
      ["refused", "window_closed", 131_047, false],
    );
    assert.match(explained.remedy ?? "", /until the user writes.*template/);
    assert.equal(await send("12025550131", body), 131_047);
  });

  test("the same once the user wrote: allowed now, and it arrives", async () => {
    const user = "12025550132";
    const body = text(user, "hello");
    await userWrites(system.run, user, number().displayPhoneNumber, "hi");
    const explained = await until(
      async () => {
        const now = await explain(body);
        return now.verdict === "allowed" ? now : undefined;
      },
      { message: "the window did not open" },
    );
    assert.ok((explained.window?.leftSeconds ?? 0) > 86_000, JSON.stringify(explained));
    assert.ok(explained.earliestAt !== null);
    assert.deepEqual([explained.category, explained.price], ["SERVICE", null]);
    assert.match(explained.priceUnknown, /rate card/);
    assert.equal(await send(user, body), 0);
  });

  const orderUpdate = (user: string): object => {
    const parameters = ["Ana", "4711"].map((value) => ({ type: "text", text: value }));
    return template(user, "order_update", "en_US", [{ type: "body", parameters }]);
  };

  test("a template to a user who never wrote is allowed and takes a place, but only when it is sent", async () => {
    const body = orderUpdate("12025550133");
    await explain(body);
    const explained = await explain(body);
    assert.deepEqual([explained.verdict, explained.category], ["allowed", "UTILITY"]);
    assert.deepEqual([explained.limit?.used, explained.limit?.usedAfter], [0, 1]);
    assert.equal(await send("12025550133", body), 0);
    const again = await explain(body);
    assert.deepEqual([again.limit?.used, again.limit?.usedAfter], [1, 1]);
  });

  test("parameters that do not fit, and a paused template: refused with the code of the real send", async () => {
    const short = template("12025550134", "order_update");
    assert.equal((await explain(short)).error?.code, 132_000);
    assert.equal(await send("12025550134", short), 132_000);
    const paused = template("12025550134", "winter_sale");
    const explained = await explain(paused);
    assert.deepEqual(
      [explained.verdict, explained.reason, explained.error?.code],
      ["refused", "template_paused", 132_015],
    );
    assert.equal(await send("12025550134", paused), 132_015);
  });

  test("with the limit used up, only the user who has a place is allowed; in bulk it is counted", async () => {
    // The smallest limit that WhatsApp has; one place is taken already.
    await admin(`numbers/${number().phoneNumberId}`, { tier: "TIER_50" });
    const others = Array.from({ length: 49 }, (_, at) => orderUpdate(String(12_025_550_200 + at)));
    const answers = await Promise.all(others.map((body) => postMessage(system.run, number().phoneNumberId, body)));
    assert.ok(answers.every(({ status }) => status === 200));
    const body = orderUpdate("12025550135");
    const explained = await until(
      async () => {
        const now = await explain(body);
        return now.reason === "limit_reached" ? now : undefined;
      },
      { message: "the limit was not reached", timeoutMs: 30_000 },
    );
    assert.equal(explained.error?.code, 131_048);
    assert.ok(explained.earliestAt !== null && new Date(explained.earliestAt).getTime() > Date.now());
    const bodies = [orderUpdate("12025550133"), body, orderUpdate("12025550136"), text("12025550137", "hello?"), {}];
    const campaign = z
      .object({ summary: z.looseObject({}), messages: z.array(z.object({ verdict: z.string() })) })
      .parse(await post({ messages: bodies }));
    const { total, allowed, withinDay, refused, lastAt } = campaign.summary;
    assert.deepEqual(
      { total, allowed, withinDay, refused },
      { total: 5, allowed: 1, withinDay: 1, refused: { limit_reached: 2, window_closed: 1, content_missing: 1 } },
    );
    assert.ok(new Date(String(lastAt)).getTime() > Date.now() + 23 * 3_600_000, String(lastAt));
    assert.equal(await send("12025550135", body), 131_048);
    assert.equal(await send("12025550133", orderUpdate("12025550133")), 0);
  });
});
