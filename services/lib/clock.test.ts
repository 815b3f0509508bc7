import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

const module = new URL("./clock.ts", import.meta.url).href;
const hourMs = 3_600_000;
const clock = `const { now, wallMs } = await import(${JSON.stringify(module)});`;
const args = (program: string): string[] => ["--input-type=module", "--eval", `${clock} ${program}`];

test("by itself it is the machine's clock, and says nothing", () => {
  const program = `console.log(wallMs === Date.now, Math.abs(now().getTime() - Date.now()) < 1_000);`;
  const { stdout, stderr } = spawnSync(process.execPath, args(program), { env: {}, encoding: "utf8" });
  assert.deepEqual({ stdout, stderr }, { stdout: "true true\n", stderr: "" });
});

test("it follows the file that the environment names, forwards and back", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-clock-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "offset");
  const write = (offsetMs: number): void => {
    writeFileSync(`${file}.new`, `${offsetMs}\n`);
    renameSync(`${file}.new`, file);
  };
  write(hourMs);
  const program = `setInterval(() => console.log(Math.round((wallMs() - Date.now()) / ${hourMs})), 20);`;
  const child = spawn(process.execPath, args(program), { env: { HELIOGRAPH_CLOCK_OFFSET_FILE: file } });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const wanted = [1, 24, -24, 0];
  for await (const line of createInterface(child.stdout)) {
    if (Number(line) !== wanted[0]) continue;
    wanted.shift();
    const [next] = wanted;
    if (next === undefined) break;
    write(next * hourMs);
  }
  assert.deepEqual(wanted, []);
});

test("a file that holds no offset is refused at the start", () => {
  const env = { HELIOGRAPH_CLOCK_OFFSET_FILE: "/dev/null" };
  assert.notEqual(spawnSync(process.execPath, args(""), { env }).status, 0);
});
