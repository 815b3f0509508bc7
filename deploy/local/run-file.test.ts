import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { identify, isAlive } from "./process-identity.ts";
import { endOrphans, type RunFile, type RunningProcess, readRunFile, writeRunFile } from "./run-file.ts";

async function startProcess(t: TestContext): Promise<{ child: ChildProcess; entry: RunningProcess }> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
  await once(child, "spawn");
  t.after(() => child.kill("SIGKILL"));
  const identity = identify(child.pid ?? 0);
  assert.ok(identity !== undefined);
  return {
    child,
    entry: { name: "messages", http: null, grpc: null, startedAt: "2026-11-23T10:00:00.000Z", ...identity },
  };
}

function runOf(processes: RunningProcess[]): RunFile {
  return {
    state: "up",
    startedAt: "2026-11-23T10:00:00.000Z",
    gateway: "http://127.0.0.1:8400",
    simulator: "http://127.0.0.1:8401",
    receiver: "http://127.0.0.1:8402",
    token: "t",
    appSecret: "s",
    numbers: [{ name: "orders", phoneNumberId: "1", displayPhoneNumber: "15550100001", wabaId: "2" }],
    processes,
  };
}

test("the run file is read as it was written, and by its owner only", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "run.json");
  writeRunFile(path, runOf([]));
  assert.deepEqual(readRunFile(path), runOf([]));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, "{");
  assert.equal(readRunFile(path), undefined);
});

test("a process that the run file names is ended", async (t) => {
  const { entry } = await startProcess(t);
  assert.deepEqual(await endOrphans(runOf([entry])), ["messages"]);
  assert.equal(isAlive(entry), false);
});

test("a process is the same one after it has become the program at the end of its command", async (t) => {
  const { entry } = await startProcess(t);
  assert.equal(isAlive({ ...entry, command: `unshare --user ${entry.command}` }), true);
  assert.equal(isAlive({ ...entry, command: `x${entry.command}` }), false);
});

const strangers: [sentence: string, difference: Partial<RunningProcess>][] = [
  ["started at another time", { startTime: "another/1" }],
  ["runs another command", { command: "postgres -D elsewhere" }],
];
for (const [sentence, difference] of strangers) {
  test(`a process with the pid that ${sentence} is left alone`, async (t) => {
    const { entry } = await startProcess(t);
    assert.deepEqual(await endOrphans(runOf([{ ...entry, ...difference }])), []);
    assert.equal(isAlive(entry), true);
  });
}
