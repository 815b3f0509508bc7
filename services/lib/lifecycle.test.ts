import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { createLog } from "./log.ts";
import { loop, sleep } from "./lifecycle.ts";

const log = createLog({ service: "test", level: "silent" });

/** Runs a program around `run` in a process of its own. */
function program(body: string): { child: ChildProcess; output: () => string } {
  const source = `
    import { run, loop, sleep } from "${import.meta.resolve("./lifecycle.ts")}";
    import { ConfigError } from "${import.meta.resolve("./config.ts")}";
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  return child.exitCode;
}

const staysUp = `const alive = setInterval(() => {}, 1000); process.stdout.write("up");`;

test("the first signal aborts, disposes and exits 0", async () => {
  const { child, output } = program(`await run(async (signal) => {
    ${staysUp}
    signal.addEventListener("abort", () => console.log("aborted"));
    return { async [Symbol.asyncDispose]() { console.log("disposed"); } };
  });`);
  await until(() => output().includes("up"));
  child.kill("SIGTERM");
  assert.equal(await exitCode(child), 0);
  assert.match(output(), /aborted\ndisposed/);
});

test("the second signal exits 1 at once, and a hung dispose ends at the deadline", async () => {
  const hangs = `await run(async () => { ${staysUp} return { [Symbol.asyncDispose]: () => { process.stdout.write("stopping"); return new Promise(() => {}); } }; }, { shutdownMs: 100 });`;
  const impatient = program(hangs.replace("100", "60_000"));
  await until(() => impatient.output().includes("up"));
  impatient.child.kill("SIGTERM");
  await until(() => impatient.output().includes("stopping"));
  impatient.child.kill("SIGTERM");
  assert.equal(await exitCode(impatient.child), 1);
  const patient = program(hangs);
  await until(() => patient.output().includes("up"));
  patient.child.kill("SIGINT");
  assert.equal(await exitCode(patient.child), 1);
  assert.match(patient.output(), /did not stop within 100 ms/);
});

test("a process may end itself with its own exit code, after its dispose", async () => {
  const { child, output } = program(`await run(async () => ({
    done: Promise.resolve(42),
    async [Symbol.asyncDispose]() { console.log("disposed"); },
  }));`);
  assert.equal(await exitCode(child), 42);
  assert.match(output(), /disposed/);
});

const failures: [sentence: string, thrown: string, printed: RegExp][] = [
  ["configuration faults are listed", `new ConfigError(["A is not set", "B: bad"])`, /- A is not set\n.*- B: bad/],
  [
    "a taken port is named",
    `Object.assign(new Error("x"), { code: "EADDRINUSE", port: 81 })`,
    /^start failed: port 81 is already in use\n$/,
  ],
  ["a failed start is one line", `new Error("no such number")`, /^start failed: no such number\n$/],
];
for (const [sentence, thrown, printed] of failures) {
  test(`${sentence} and the process exits 1`, async () => {
    const { child, output } = program(`await run(async () => { throw ${thrown}; });`);
    assert.equal(await exitCode(child), 1);
    assert.match(output(), printed);
  });
}

test("an unhandled rejection is printed with its stack and exits 1", async () => {
  const { child, output } = program(`await run(async () => {
    ${staysUp}
    Promise.reject(new Error("forgotten"));
    return { async [Symbol.asyncDispose]() {} };
  });`);
  assert.equal(await exitCode(child), 1);
  assert.match(output(), /forgotten\n\s+at /);
});

test("a sleep ends when the signal aborts", async () => {
  const controller = new AbortController();
  const slept = sleep(60_000, controller.signal);
  controller.abort();
  await slept;
  await sleep(60_000, controller.signal);
});

test("a loop runs at once, when woken, again when asked, and never twice at a time", async () => {
  let runs = 0;
  let running = 0;
  await using looping = loop({
    name: "test",
    intervalMs: 60_000,
    log,
    async task() {
      running += 1;
      assert.equal(running, 1);
      await sleep(5);
      running -= 1;
      runs += 1;
      return runs === 1 ? "again" : undefined;
    },
  });
  await until(() => runs === 2);
  looping.wake();
  await sleep(1);
  looping.wake();
  await until(() => runs === 4, { message: "woken while running, it runs once more" });
});

test("a loop goes on after a failure and waits for its task on dispose", async () => {
  let runs = 0;
  let finished = false;
  const looping = loop({
    name: "test",
    intervalMs: 1,
    log,
    async task(signal) {
      runs += 1;
      if (runs === 1) throw new Error("once");
      await sleep(60_000, signal);
      finished = true;
    },
  });
  await until(() => runs === 2);
  await looping[Symbol.asyncDispose]();
  assert.ok(finished);
});
