// What goes wrong on purpose with Graph requests, as the client sees it, and whether the message was taken.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { until } from "#test/until.ts";
import { care, hello, orders, startTrial, type Trial } from "./test-trial.ts";

const ana = "15550100999";
let trial: Trial;

before(async () => {
  trial = await startTrial();
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(() => trial.admin("POST", "reset"));

/** How a send ends: the HTTP status with Meta's code, `garbage` for an answer that is no JSON, `cut` for none. */
async function send(timeoutMs = 5_000, from = orders, to = ana): Promise<string> {
  try {
    const response = await fetch(`${trial.simulator.apiUrl}/v24.0/${from}/messages`, {
      method: "POST",
      headers: { authorization: "Bearer simulator-access-token", "content-type": "application/json" },
      body: JSON.stringify({ messaging_product: "whatsapp", to, ...hello }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = await response.text();
    if (!response.headers.get("content-type")?.startsWith("application/json")) return "garbage";
    return `${response.status} ${JSON.parse(body).error?.code ?? ""}`.trim();
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError" ? "timeout" : "cut";
  }
}

async function accepted(): Promise<number> {
  return (await trial.admin("GET", "messages?limit=0")).body.counts.accepted;
}

const cases: [sentence: string, fault: object, outcome: string, taken: number][] = [
  ["a status of its own is refused", { kind: "status", status: 503, code: 131016 }, "503 131016", 0],
  ["the status may follow from the code", { kind: "status", code: 80007 }, "400 80007", 0],
  [
    "a status may come although the message was taken",
    { kind: "status", status: 500, accepted: true },
    "500 131000",
    1,
  ],
  ["cut before: not taken", { kind: "cut_before" }, "cut", 0],
  ["cut after: taken, the answer is lost", { kind: "cut_after" }, "cut", 1],
  ["reset in the middle of the answer: taken", { kind: "reset_mid_answer" }, "cut", 1],
  ["garbage for an answer: taken", { kind: "garbage" }, "garbage", 1],
  ["garbage may also mean not taken", { kind: "garbage", accepted: false }, "garbage", 0],
  ["slow: taken, and answered", { kind: "slow", ms: 30 }, "200", 1],
  ["hanging: taken, never answered", { kind: "hang" }, "timeout", 1],
];
for (const [sentence, fault, outcome, taken] of cases) {
  test(sentence, async () => {
    await trial.admin("PUT", "faults", [{ id: "it", ...fault }]);
    const timeoutMs = outcome === "timeout" ? 300 : 5_000;
    assert.equal(await send(timeoutMs), outcome);
    assert.equal(await accepted(), taken, "messages taken");
    if (taken === 1)
      await until(async () => (await trial.admin("GET", `phones/${ana}/messages`)).body.messages.length === 1);
    const { body } = await trial.admin("GET", "faults");
    assert.equal(body.faults[0].fired, 1);
  });
}

test("slow means that long", async () => {
  await trial.admin("PUT", "faults", { kind: "slow", ms: 60 });
  const start = performance.now();
  assert.equal(await send(), "200");
  assert.ok(performance.now() - start >= 59);
});

test("every answer takes the latency of the settings", async () => {
  await trial.admin("PUT", "settings", { latencyMs: 40 });
  const start = performance.now();
  assert.equal(await send(), "200");
  assert.ok(performance.now() - start >= 39);
});

test("a fault meets its number, its user, its path, and only as often as it says", async () => {
  await trial.admin("PUT", "faults", [
    { kind: "status", match: { phoneNumberId: care } },
    { kind: "status", match: { to: "15550100998" }, times: 2 },
    { kind: "cut_before", match: { path: "/message_templates" } },
  ]);
  assert.equal(await send(), "200");
  assert.equal(await send(5_000, care), "500 131000");
  assert.equal(await send(5_000, orders, "+15550100998"), "500 131000");
  assert.equal(await send(5_000, orders, "15550100998"), "500 131000");
  assert.equal(await send(5_000, orders, "15550100998"), "200");
  await assert.rejects(trial.graph("GET", "/v24.0/102290129340398/message_templates"));
});

test("chance is the same for the same seed", async () => {
  const runs: string[] = [];
  for (const _ of [1, 2]) {
    await using own = await startTrial({ env: { SEED: "42" } });
    await own.admin("PUT", "faults", { kind: "status", match: { path: "/messages" }, probability: 0.5 });
    let outcome = "";
    for (let count = 0; count < 20; count += 1) {
      const message = { messaging_product: "whatsapp", to: ana, ...hello };
      outcome += (await own.graph("POST", `/v24.0/${orders}/messages`, message)).status === 200 ? "+" : "-";
    }
    runs.push(outcome);
  }
  assert.equal(runs[0], runs[1]);
  assert.match(runs[0] ?? "", /\+.*-|-.*\+/);
});

test("faults are listed, added, removed one by one, and refused when they make no sense", async () => {
  await trial.admin("PUT", "faults", [{ id: "a", kind: "hang" }]);
  await trial.admin("POST", "faults", { id: "b", kind: "storm", copies: 3 });
  const { body } = await trial.admin("GET", "faults");
  assert.deepEqual(
    body.faults.map(({ id, fired }: { id: string; fired: number }) => [id, fired]),
    [
      ["a", 0],
      ["b", 0],
    ],
  );
  assert.equal((await trial.admin("DELETE", "faults/a")).body.faults.length, 1);
  assert.equal((await trial.admin("DELETE", "faults/a")).status, 404);
  assert.equal((await trial.admin("PUT", "faults", [{ kind: "earthquake" }])).status, 400);
  assert.equal((await trial.admin("DELETE", "faults")).body.faults.length, 0);
});

test("a client that leaves in the middle of its body does no harm", async () => {
  const { port } = new URL(trial.simulator.apiUrl);
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => {
      socket.write(`POST /v24.0/${orders}/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{`, () =>
        socket.destroy(),
      );
    });
    socket.on("close", () => resolve());
  });
  assert.equal(await send(), "200");
});
