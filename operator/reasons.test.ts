// That docs/kubernetes.md tells every reason that a condition can have, and no others, and marks those that wait for a person.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const page = read("../docs/kubernetes.md");

/** Texts in quotes inside the first match. */
function wordsIn(source: string, pattern: RegExp): string[] {
  return Array.from((pattern.exec(source)?.[1] ?? "").matchAll(/"([A-Z]\w+)"/g), ([, word = ""]) => word);
}

const union = /\btype Reason =([^;]*);/;
const stalls = /\bstalling: ReadonlySet<Reason> = new Set<Reason>\(\[([^\]]*)\]/;

type Sources = { reasons: [path: string, pattern: RegExp][]; stalling: string | undefined };

const kinds: Record<string, Sources> = {
  WhatsAppNumber: { reasons: [["number/conditions.ts", union]], stalling: "number/status.ts" },
  WhatsAppBusinessAccount: { reasons: [["account/conditions.ts", union]], stalling: "account/plan.ts" },
  WhatsAppTemplate: { reasons: [["template/reasons.ts", union]], stalling: "template/reasons.ts" },
  WebhookSubscription: {
    reasons: [
      ["webhook/plan.ts", union],
      ["webhook/facts.ts", /kind: "unresolved";\s+reason: ([^;]*);/],
    ],
    stalling: "webhook/plan.ts",
  },
  ConnectionClass: { reasons: [["number/class-plan.ts", union]], stalling: undefined },
};
/** Told once, for all kinds. */
const common = new Set(["Paused", "NothingToDo"]);

for (const [kind, { reasons, stalling }] of Object.entries(kinds)) {
  const section = page.split(`## Reasons of ${kind}\n`)[1]?.split("\n## ")[0] ?? "";
  const cells = Array.from(section.matchAll(/^\| (.*?) \|/gm), ([, cell = ""]) => cell).join();
  const told = Array.from(cells.matchAll(/`(\w+)`( \*\*!\*\*)?/g), ([, word = "", mark]) => ({
    word,
    isMarked: mark !== undefined,
  }));

  test(`docs/kubernetes.md tells each reason of ${kind}`, () => {
    const known = reasons
      .flatMap(([path, pattern]) => wordsIn(read(path), pattern))
      .filter((word) => !common.has(word));
    assert.ok(known.length > 2);
    assert.deepEqual(told.map(({ word }) => word).toSorted(), known.toSorted());
  });

  test(`docs/kubernetes.md marks the reasons of ${kind} for which a person must act`, () => {
    const known = stalling === undefined ? [] : wordsIn(read(stalling), stalls);
    const marked = told.filter(({ isMarked }) => isMarked).map(({ word }) => word);
    assert.deepEqual(marked.toSorted(), known.toSorted());
  });
}
