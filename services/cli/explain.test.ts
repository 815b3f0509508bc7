// heliograph explain: what it asks the REST API, and how it tells the answer.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Answer, run, startGateway } from "./test-cli.ts";

const refused = {
  to: "12025550123",
  verdict: "refused",
  reason: "window_closed",
  details: "the user has not written to this number",
  remedy: "wait until the user writes to this number, or send an approved template instead",
  error: { code: 131_047, title: "Customer service window is closed" },
  earliestAt: null,
  window: { open: false, closesAt: null, leftSeconds: 0 },
  category: "SERVICE",
  price: null,
  priceUnknown: "no rate card is loaded",
  lane: "reply",
};
const allowed = {
  to: "12025550123",
  verdict: "allowed",
  earliestAt: "2026-11-23T12:00:05.000Z",
  waitsFor: "pace",
  window: { open: true, closesAt: "2026-11-23T15:20:00.000Z", leftSeconds: 12_000 },
  price: null,
  lane: "bulk",
};
const summary = {
  total: 1,
  allowed: 0,
  withinDay: 0,
  refused: { window_closed: 1 },
  unknown: {},
  lastAllowedAt: null,
  lastAt: null,
};
const limit = { limit: 250, used: 12, usedAfter: 13, leftAfter: 237 };

function answer(body: object): () => Answer {
  return () => ({ status: 200, body });
}

const textTo = ["explain", "--number", "100", "--text", "Hi", "--to"];

test("a refusal is told with its rule, its code and what to do, and is a failure", async () => {
  await using gateway = await startGateway(answer({ summary, messages: [refused] }));
  const { code, out } = await run([...textTo, "+1 202 555 0123"], gateway.env);
  assert.equal(code, 1);
  assert.match(out, /^verdict +refused by window_closed$/m);
  assert.match(out, /^error +131047 /m);
  assert.match(out, /^to do +wait until the user writes/m);
  assert.match(out, /^window +never was open$/m);
  assert.match(out, /^price +not known: no rate card is loaded$/m);
  const [{ method, path, body } = assert.fail()] = gateway.received;
  assert.deepEqual([method, path], ["POST", "/heliograph/v1/explain?number=100"]);
  const one = { messaging_product: "whatsapp", to: "+12025550123", type: "text", text: { body: "Hi" } };
  assert.deepEqual(body, { messages: [one] });
});

test("an allowance is told with its moment, and is a success", async () => {
  const body = { summary: { ...summary, allowed: 1 }, limit, messages: [allowed] };
  await using gateway = await startGateway(answer(body));
  const { code, out } = await run([...textTo, "12025550123", "--lane", "bulk", "--ttl", "15m"], gateway.env);
  assert.equal(code, 0);
  assert.match(out, /^earliest +2026-11-23T12:00:05.000Z \(waits for pace\)$/m);
  assert.match(out, /^window +open for 3 h 20 min, until /m);
  assert.match(out, /^limit +12 of 250 users, 13 after$/m);
  const [{ headers } = assert.fail()] = gateway.received;
  assert.deepEqual([headers["heliograph-lane"], headers["heliograph-ttl"]], ["bulk", "900"]);
  const asJson = await run([...textTo, "12025550123", "--json"], gateway.env);
  assert.deepEqual(JSON.parse(asJson.out).messages[0].waitsFor, "pace");
});

test("a file of users is told in numbers", async () => {
  const body = {
    summary: {
      ...summary,
      total: 2,
      allowed: 1,
      withinDay: 1,
      lastAllowedAt: "2026-11-23T12:00:05.000Z",
      lastAt: "2026-11-24T12:00:05.000Z",
    },
    limit,
    messages: [refused, allowed],
  };
  await using gateway = await startGateway(answer(body));
  const folder = mkdtempSync(join(tmpdir(), "heliograph-explain-"));
  try {
    const file = join(folder, "users");
    writeFileSync(file, "+12025550123\n\n+12025550124\n");
    const template = ["--template", "hello", "--language", "en_US"];
    const { code, out } = await run(["explain", "--number", "100", "--to-file", file, ...template], gateway.env);
    assert.equal(code, 1);
    assert.match(out, /^allowed +1$/m);
    assert.match(out, /^refused by window_closed +1$/m);
    assert.match(out, /^last goes at the latest +2026-11-24T12:00:05.000Z$/m);
    const [{ body: asked } = assert.fail()] = gateway.received;
    assert.equal((asked as { messages: object[] }).messages.length, 2);
    writeFileSync(file, "+12025550123\nnobody\n");
    const wrong = await run(["explain", "--number", "100", "--to-file", file, ...template], gateway.env);
    assert.deepEqual([wrong.code, wrong.err.includes("line 2")], [2, true]);
    const missing = await run(["explain", "--number", "100", "--to-file", `${file}.not`, ...template], gateway.env);
    assert.match(missing.err, /cannot be read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const [sentence, args] of [
  ["users are needed", ["explain", "--number", "100", "--text", "Hi"]],
  ["from one place", [...textTo, "12025550123", "--to-file", "users"]],
] satisfies [string, string[]][]) {
  test(sentence, async () => {
    const { code, err } = await run(args);
    assert.equal(code, 2);
    assert.match(err, /--to or --to-file/);
  });
}
