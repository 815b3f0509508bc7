import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "#test/until.ts";
import { spawnChild } from "./child.ts";
import { identify } from "./process-identity.ts";
import { spawnServer } from "./server-process.ts";
import { pauseAfter, supervise } from "./supervisor.ts";

const pauses: [sentence: string, previousMs: number | undefined, upMs: number, pauseMs: number][] = [
  ["the first restart comes soon", undefined, 50, 200],
  ["each further one waits twice as long", 200, 50, 400],
  ["but not for ever", 4_000, 50, 5_000],
  ["after 10 s up it begins anew", 5_000, 10_000, 200],
];
for (const [sentence, previousMs, upMs, pauseMs] of pauses) {
  test(sentence, () => assert.equal(pauseAfter(previousMs, upMs), pauseMs));
}

/** A program that runs the script, kept running; its folder and process are gone after the test. */
async function start(t: TestContext, script: string) {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-supervisor-"));
  const file = join(folder, "program.mjs");
  writeFileSync(file, script);
  const lines: string[] = [];
  let changes = 0;
  const supervised = supervise({
    name: "program",
    firstPauseMs: 10,
    onChange: () => (changes += 1),
    say: (line) => lines.push(line),
    launch: () => spawnChild({ command: process.execPath, args: [file], env: {}, logFile: join(folder, "log") }),
  });
  t.after(async () => {
    await supervised.stop(0);
    rmSync(folder, { recursive: true });
  });
  await supervised.start();
  const log = (): string => readFileSync(join(folder, "log"), "utf8");
  return { supervised, lines, log, changes: () => changes };
}

const idle = "setInterval(() => {}, 1000);";

test("a program that is killed is started again, and the line says how it ended", async (t) => {
  const { supervised, lines, changes } = await start(t, idle);
  const first = supervised.process();
  assert.ok(first !== undefined);
  process.kill(first.pid, "SIGKILL");
  await until(() => supervised.process() !== undefined && supervised.process()?.pid !== first.pid);
  assert.deepEqual(lines, ["program was ended by SIGKILL, restart in 0.01 s"]);
  assert.equal(changes(), 3);
  assert.equal(supervised.ends(), 1);
});

test("the line has the exit code and the last words that are not a log line", async (t) => {
  const { supervised, lines } = await start(
    t,
    `console.log('{"level":"info"}'); console.error("start failed: no room"); process.exit(42);`,
  );
  await until(() => supervised.ends() >= 2);
  assert.equal(lines[0], "program ended with exit code 42, restart in 0.01 s: start failed: no room");
  assert.equal(lines[1], "program ended with exit code 42, restart in 0.02 s: start failed: no room");
});

test("a program that is stopped ends in order and stays down", async (t) => {
  const { supervised, lines, log } = await start(
    t,
    `process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });console.log("up");${idle}`,
  );
  await until(() => log().includes("up"));
  const running = supervised.process();
  assert.ok(running !== undefined);
  await supervised.stop(5_000);
  assert.equal(log(), "up\nbye\n");
  assert.deepEqual([lines, supervised.process(), identify(running.pid)], [[], undefined, undefined]);
});

test("a program that will not end is killed with its children when its time is over", async (t) => {
  const stubborn = `import { spawn } from "node:child_process";
    process.on("SIGTERM", () => {});
    const child = spawn(process.execPath, ["-e", ${JSON.stringify(idle)}]);
    console.log(child.pid);${idle}`;
  const { supervised, log } = await start(t, stubborn);
  await until(() => log().endsWith("\n"));
  const child = Number(log());
  assert.ok(identify(child) !== undefined);
  await supervised.stop(50);
  await until(() => identify(child) === undefined);
});

/** A program whose start never comes to an end, unless the process ends. */
function startForEver(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-supervisor-"));
  let changes = 0;
  let spawn: (() => void) | undefined;
  const supervised = supervise({
    name: "program",
    onChange: () => (changes += 1),
    say: () => undefined,
    async launch(onSpawn) {
      await new Promise<void>((resolve) => (spawn = resolve));
      const program = { command: process.execPath, args: ["-e", idle], logFile: join(folder, "log"), onSpawn };
      const { pid, exited } = await spawnServer(program);
      await exited;
      throw new Error(`${pid} ended while starting`);
    },
  });
  t.after(() => rmSync(folder, { recursive: true }));
  const started = supervised.start();
  return { supervised, started, changes: () => changes, spawn: () => spawn?.() };
}

test("a process is known as soon as it is spawned, and is killed when its start outlasts the grace of a stop", async (t) => {
  const { supervised, started, changes, spawn } = startForEver(t);
  spawn();
  const spawned = await until(() => supervised.process());
  assert.equal(changes(), 1);
  await Promise.all([assert.rejects(started, /ended while starting/), supervised.stop(50)]);
  assert.deepEqual([identify(spawned.pid), supervised.process()], [undefined, undefined]);
});

test("what is spawned after the stop is killed at once", async (t) => {
  const { supervised, started, spawn } = startForEver(t);
  const stopped = supervised.stop(5_000);
  spawn();
  await Promise.all([assert.rejects(started, /ended while starting/), stopped]);
});
