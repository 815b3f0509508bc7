import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { clockOwners, crashPoints, type Fault, furthestJumpMs, killsOf, planFaults } from "./schedule.ts";

const numbers = ["orders", "care"];
const plan = (seed: number, kills = 40) => planFaults({ seed, kills, numbers, leaseMs: 1_500 });

const killCases: [sentence: string, fault: Fault, kills: number][] = [
  ["two processes at a time are two", { kind: "kill", processes: ["nats", "gateway"], early: false }, 2],
  ["a crash is armed by one, and may not come", { kind: "crash", process: "messages", point: "p", passage: 1 }, 1],
  ["a clock that jumps kills nobody", { kind: "jump", process: "messages", byMs: -1, forMs: 1 }, 0],
  ["a freeze is none", { kind: "freeze", process: "nats", forMs: 1 }, 0],
  ["a rival may be killed", { kind: "rival", number: "care", way: "usurp", forMs: 1, end: "SIGKILL" }, 1],
  ["or told to stop", { kind: "rival", number: "care", way: "usurp", forMs: 1, end: "SIGTERM" }, 0],
];
for (const [sentence, fault, kills] of killCases) test(sentence, () => assert.equal(killsOf(fault), kills));

test("how far a clock is ahead at most", () => {
  const jumps = [-5, 3, 4].map((byMs) => ({ kind: "jump" as const, process: "messages", byMs, forMs: 1 }));
  const steps = jumps.map((fault) => ({ pauseMs: 1, atWork: true, fault }));
  assert.equal(furthestJumpMs(steps), 4);
  assert.equal(furthestJumpMs(steps.slice(0, 1)), 0);
});

test("the same seed makes the same schedule, another seed another one", () => {
  assert.deepEqual(plan(7), plan(7));
  assert.notDeepEqual(plan(7), plan(8));
});

test("any schedule has its kills, has pauses and names what exists", () => {
  const processes = /^(connection-(orders|care)|messages|gateway|webhooks|billing|templates|quality|nats|postgres)$/;
  const points = new Set(Object.values(crashPoints).flat());
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 80 }), (seed, kills) => {
      const steps = plan(seed, kills);
      const planned = steps.map(({ fault }) => killsOf(fault)).reduce((sum, one) => sum + one, 0);
      assert.ok(planned >= kills && planned <= kills + 1);
      for (const { pauseMs, fault } of steps) {
        assert.ok(pauseMs > 0);
        if (fault.kind === "kill") for (const process of fault.processes) assert.match(process, processes);
        if ("process" in fault) assert.match(fault.process, processes);
        if (fault.kind === "jump") assert.ok(fault.byMs !== 0 && Math.abs(fault.byMs) <= 86_400_000);
        if (fault.kind === "crash") assert.ok(points.has(fault.point));
      }
    }),
  );
});

test("a thousand kills meet every kind of fault, every point of crash and every process", () => {
  const faults = Array.from({ length: 25 }, (_, seed) => plan(seed)).flatMap((steps) =>
    steps.map(({ fault }) => fault),
  );
  const met = faults.map((fault) =>
    fault.kind === "kill"
      ? fault.processes.join()
      : fault.kind === "crash"
        ? fault.point
        : fault.kind === "rival"
          ? fault.way
          : fault.kind === "jump"
            ? `jump of ${fault.process} ${fault.byMs > 0 ? "forwards" : "back"}`
            : fault.kind,
  );
  const wanted = [...Object.values(crashPoints).flat(), "standby", "take_over", "usurp", "freeze", "upstream"];
  const jumps = [...clockOwners, "connection-care"].flatMap((process) => [
    `jump of ${process} forwards`,
    `jump of ${process} back`,
  ]);
  for (const name of [...wanted, ...jumps, "connection-orders", "messages", "nats", "postgres"])
    assert.ok(met.includes(name), name);
});

test("every point of crash stands in the code", () => {
  const services = join(import.meta.dirname, "..", "..", "services");
  const source = readdirSync(services, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => readFileSync(join(services, path), "utf8"))
    .join("\n");
  for (const point of Object.values(crashPoints).flat()) {
    // The kind of the item is filled in by the commit of the ledger, the name of a transaction by `transaction`.
    const [, commit = ""] = /^(.*)\.(before|after)$/.exec(point) ?? [];
    const written = [
      `faultPoint("${point}")`,
      `faultPoint(\`${point.replace(/^commit\.\w+\./, "commit.${kind}.")}\`)`,
      `, "${commit}")`,
      `point = "${commit}"`,
    ];
    assert.ok(
      written.some((text) => source.includes(text)),
      point,
    );
  }
});
