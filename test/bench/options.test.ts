import assert from "node:assert/strict";
import { test } from "node:test";
import { catalog } from "./catalog.ts";
import { helpFor, readChoice } from "./options.ts";

function read(...args: string[]) {
  const choice = readChoice(catalog, args);
  assert.ok(choice !== "help");
  return { ...choice, names: choice.scenarios.map(({ name }) => name) };
}

test("without a name all run but the long ones", () => {
  const { names, out, isJson } = read();
  assert.ok(names.includes("burst") && names.includes("one-number"));
  assert.ok(!names.includes("soak") && !names.includes("queued") && !names.includes("takeover"));
  assert.deepEqual([out, isJson], [".heliograph/bench.json", false]);
});

test("a long one runs when it is named, with its values", () => {
  const { names, values } = read("soak", "--rate", "20,80", "--minutes", "0.5");
  assert.deepEqual(names, ["soak"]);
  assert.deepEqual(
    [...values],
    [
      ["rate", [20, 80]],
      ["minutes", [0.5]],
    ],
  );
});

const wrong: [sentence: string, args: string[], message: RegExp][] = [
  ["an unknown scenario", ["brust"], /there is no scenario brust, only idle,/],
  ["an unknown option", ["--speed", "3"], /unknown option '--speed'/],
  ["an option of another scenario", ["idle", "--rate", "3"], /--rate is of none of these scenarios: idle/],
  ["a value that is no number", ["soak", "--rate", "20,fast"], /--rate must be a number.*not "20,fast"/],
  ["a negative number", ["soak", "--rate=-1"], /--rate must be a number/],
];
for (const [sentence, args, message] of wrong) {
  test(`${sentence} is told`, () => assert.throws(() => readChoice(catalog, args), { name: "ArgumentError", message }));
}

test("help names every scenario and option", () => {
  assert.equal(readChoice(catalog, ["soak", "--help"]), "help");
  const help = helpFor(catalog);
  for (const { name, options } of catalog)
    for (const word of [name, ...Object.keys(options)]) assert.match(help, new RegExp(`^ +(--)?${word}\\b`, "m"));
});
