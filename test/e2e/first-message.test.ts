// What a new user does: start, paste the commands, see phones and webhooks; then what they do wrong, and the next day.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { postMessage, send, template, text, userWrites } from "#test/client.ts";
import { ledgerState, phoneMessages, statusesOf, webhooks } from "#test/judge.ts";
import { startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;

/** The shell blocks of README's part with this title. */
async function readmeCommands(title: string): Promise<string[]> {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const part = readme.split(/^## /m).find((text) => text.startsWith(title)) ?? "";
  return [...part.matchAll(/^```sh\n(.*?)^```/gms)].map(([, command = ""]) => command);
}

describe("the whole system, started as a user does", () => {
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

  test("README's commands work as they stand, but for the ports and the folder of this run", async () => {
    const commands = await readmeCommands("Send your first message");
    assert.equal(commands.length, 4);
    const answers: string[] = [];
    for (const command of commands) {
      const here = command
        .replaceAll("http://127.0.0.1:8400", system.run.gateway)
        .replaceAll("http://127.0.0.1:8401", system.run.simulator)
        .replaceAll(".heliograph/run.json", `${system.dataDir}/run.json`);
      answers.push((await run("bash", ["-euc", here])).stdout);
      if (answers.length === 1)
        await until(async () => (await webhooks(system.run)).inbound.length > 0, { message: "no inbound" });
    }
    assert.match(answers[1] ?? "", /"id":\s*"wamid\./);
    assert.match(answers[2] ?? "", /"id":\s*"wamid\./);
    await until(async () => (await phoneMessages(system.run, "12025550123")).some(({ type }) => type === "text"), {
      message: "no answer on the phone",
    });
    await until(async () => (await phoneMessages(system.run, "12025550145")).some(({ type }) => type === "template"), {
      message: "no template on the phone",
    });
  });

  test("the three commands that the runner prints work when pasted", async () => {
    const commands = system.output().match(/^ *curl .*(?:\\\n.*)*/gm) ?? [];
    assert.equal(commands.length, 3, system.output());
    for (const command of commands) {
      const { stdout } = await run("bash", ["-euc", command]);
      assert.match(stdout, /wamid/);
    }
  });

  test("a text inside the window reaches the phone, and sent, delivered, read come back signed and in order", async () => {
    const user = "12025550111";
    const inbound = await userWrites(system.run, user, number().displayPhoneNumber, "is it ready? ☕");
    await until(
      async () =>
        (await webhooks(system.run)).inbound.some(
          ({ id, text: words }) => id === inbound && words?.body === "is it ready? ☕",
        ),
      { message: "the user's message did not come" },
    );
    const wamid = await send(system.run, number().phoneNumberId, text(user, "it is"));
    await until(async () => (await statusesOf(system.run, wamid)).includes("read"), { message: "read did not come" });
    // On a machine that stalls one status may overtake another: those it covers are then left out, and none goes back.
    const statuses = await statusesOf(system.run, wamid);
    assert.equal(statuses.at(-1), "read");
    assert.deepEqual(
      statuses,
      ["sent", "delivered", "read"].filter((status) => statuses.includes(status)),
    );
    assert.deepEqual(
      (await phoneMessages(system.run, user)).map((message) => message.text),
      ["it is"],
    );
    assert.equal(await ledgerState(system.run, wamid), "read");
    assert.equal((await webhooks(system.run)).badSignatures, 0);
  });

  test("a free text to a user who never wrote comes back as failed with 131047, and reaches no phone", async () => {
    const wamid = await send(system.run, number().phoneNumberId, text("12025550112", "hello?"));
    const failed = await until(async () => (await webhooks(system.run)).statuses.find(({ id }) => id === wamid), {
      message: "no status",
    });
    assert.equal(failed.status, "failed");
    assert.equal(failed.errors?.[0]?.code, 131_047);
    assert.deepEqual(await phoneMessages(system.run, "12025550112"), []);
  });

  test("a template with parameters reaches a user who never wrote", async () => {
    const parameters = ["Ana", "4711"].map((value) => ({ type: "text", text: value }));
    const body = template("12025550113", "order_update", "en_US", [{ type: "body", parameters }]);
    const wamid = await send(system.run, number().phoneNumberId, body);
    await until(async () => (await statusesOf(system.run, wamid)).includes("delivered"), { message: "not delivered" });
    assert.match((await phoneMessages(system.run, "12025550113"))[0]?.text ?? "", /Ana.*4711/s);
  });

  test("the client's own callback data comes back, and a repeated key gives the same message", async () => {
    const user = "12025550114";
    await userWrites(system.run, user, number().displayPhoneNumber, "hi");
    await until(async () => (await webhooks(system.run)).inbound.some(({ from }) => from === user), {
      message: "no inbound",
    });
    const body = { ...text(user, "once"), biz_opaque_callback_data: "order-42" };
    const key = { "idempotency-key": "order-42" };
    const [first, second] = [
      await postMessage(system.run, number().phoneNumberId, body, key),
      await postMessage(system.run, number().phoneNumberId, body, key),
    ];
    assert.deepEqual(second.body, first.body);
    const other = await postMessage(system.run, number().phoneNumberId, text(user, "another"), key);
    assert.ok(other.status >= 400 && other.status < 500);
    const status = await until(
      async () =>
        (await webhooks(system.run)).statuses.find(
          ({ recipient_id, status: word }) => recipient_id === user && word === "read",
        ),
      { message: "read did not come" },
    );
    assert.equal(status.biz_opaque_callback_data, "order-42");
    assert.equal((await phoneMessages(system.run, user)).length, 1);
  });

  test("marking the user's message as read works", async () => {
    const wamid = await userWrites(system.run, "12025550115", number().displayPhoneNumber, "seen?");
    const answer = await postMessage(system.run, number().phoneNumberId, {
      messaging_product: "whatsapp",
      status: "read",
      message_id: wamid,
    });
    assert.deepEqual([answer.status, answer.body], [200, { success: true }]);
  });

  const refusals: [
    sentence: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
    status: number,
    code: number,
  ][] = [
    ["bad JSON", "106540352242922", "{", {}, 400, 100],
    ["an unknown number", "1", text("12025550116", "x"), {}, 400, 100],
    ["a wrong token", "106540352242922", text("12025550116", "x"), { authorization: "Bearer no" }, 401, 190],
    [
      "a text without body",
      "106540352242922",
      { messaging_product: "whatsapp", to: "+12025550116", type: "text", text: {} },
      {},
      400,
      131_008,
    ],
    ["an unknown template", "106540352242922", template("12025550116", "no_such"), {}, 404, 132_001],
    [
      "a template with too few parameters",
      "106540352242922",
      template("12025550116", "order_update"),
      {},
      400,
      132_000,
    ],
  ];
  for (const [sentence, path, body, headers, status, code] of refusals) {
    test(`${sentence} is refused with ${status} and Meta's ${code}`, async () => {
      const answer = await postMessage(system.run, path, body, headers);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.partialDeepStrictEqual(answer.body, { error: { code } });
    });
  }

  test("a second start on the same data folder says so in one line and ends", async () => {
    const second = spawn(process.execPath, ["deploy/local/main.ts", "--data", system.dataDir, "--port-base", "9000"], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    second.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString("utf8")));
    await until(() => second.exitCode !== null, { timeoutMs: 15_000, message: "the second start did not end" });
    assert.equal(second.exitCode, 1);
    assert.equal(errors.trim().split("\n").length, 1, errors);
  });
});

test("the next start finds yesterday's data, also after the runner was killed, and ends its orphans", async () => {
  const first = await startSystem();
  const wamid = await send(
    first.run,
    first.run.numbers[0]?.phoneNumberId ?? "",
    template("12025550117", "hello_world"),
  );
  await until(async () => (await statusesOf(first.run, wamid)).includes("read"), { message: "read did not come" });
  first.runner.kill("SIGKILL");
  await until(() => first.runner.signalCode !== null, { message: "the runner did not end" });
  const portBase = Number(new URL(first.run.gateway).port);
  await using second = await startSystem({ dataDir: first.dataDir, portBase });
  assert.equal(second.run.token, first.run.token);
  assert.equal(await ledgerState(second.run, wamid), "read");
  const orphans = first.run.processes.filter(({ pid }) => isAlive(pid));
  assert.deepEqual(orphans, []);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
