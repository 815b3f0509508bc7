import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const module = new URL("./fault-points.ts", import.meta.url).href;
const program = `
  const { faultPoint, isSwitchedOff } = await import(${JSON.stringify(module)});
  for (let passage = 1; passage <= 3; passage++) {
    faultPoint("here");
    faultPoint("there");
    console.log(passage);
  }
  console.log(isSwitchedOff("fence"), isSwitchedOff("intent"));
`;

const cases: [sentence: string, env: Record<string, string>, output: string, signal: string | null][] = [
  ["nothing is broken by itself", {}, "1\n2\n3\nfalse false\n", null],
  ["a process dies at the passage that was named", { HELIOGRAPH_FAULT_POINT: "here:2" }, "1\n", "SIGKILL"],
  ["other points are passed", { HELIOGRAPH_FAULT_POINT: "elsewhere:1" }, "1\n2\n3\nfalse false\n", null],
  ["one guard is switched off", { HELIOGRAPH_MUTATE: "no_fence" }, "1\n2\n3\ntrue false\n", null],
];
for (const [sentence, env, output, signal] of cases) {
  test(sentence, () => {
    const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { env, encoding: "utf8" });
    assert.equal(ended.stdout, output);
    assert.equal(ended.signal, signal);
  });
}

test("a fault that cannot be read is refused at the start", () => {
  const env = { HELIOGRAPH_FAULT_POINT: "here" };
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { env, encoding: "utf8" });
  assert.notEqual(ended.status, 0);
});
