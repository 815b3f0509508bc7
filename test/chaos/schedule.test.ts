import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { crashPoints, endOf, type Fault, killsOf, planFaults } from "./schedule.ts";

const numbers = ["orders", "care"];
const plan = (seed: number, kills = 40) => planFaults({ seed, kills, numbers, leaseMs: 1_500 });

const killCases: [sentence: string, fault: Fault, kills: number][] = [
  ["two processes at a time are two", { kind: "kill", processes: ["nats", "gateway"], early: false }, 2],
  ["a crash is armed by one, and may not come", { kind: "crash", process: "messages", point: "p", passage: 1 }, 1],
  ["a freeze is none", { kind: "freeze", process: "nats", forMs: 1 }, 0],
  ["a rival may be killed", { kind: "rival", number: "care", way: "usurp", forMs: 1, end: "SIGKILL" }, 1],
  ["or told to stop", { kind: "rival", number: "care", way: "usurp", forMs: 1, end: "SIGTERM" }, 0],
];
for (const [sentence, fault, kills] of killCases) test(sentence, () => assert.equal(killsOf(fault), kills));

test("the same seed makes the same schedule, another seed another one", () => {
  assert.deepEqual(plan(7), plan(7));
  assert.notDeepEqual(plan(7), plan(8));
});

test("any schedule has its kills, goes forward in time and names what exists", () => {
  const processes = /^(connection-(orders|care)|messages|gateway|webhooks|billing|templates|quality|nats|postgres)$/;
  const points = new Set(Object.values(crashPoints).flat());
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 80 }), (seed, kills) => {
      const steps = plan(seed, kills);
      const planned = steps.map(({ fault }) => killsOf(fault)).reduce((sum, one) => sum + one, 0);
      assert.ok(planned >= kills && planned <= kills + 1);
      let before = 0;
      for (const step of steps) {
        assert.ok(step.atMs > before && endOf(step) >= step.atMs);
        before = step.atMs;
        const { fault } = step;
        if (fault.kind === "kill") for (const process of fault.processes) assert.match(process, processes);
        if (fault.kind === "freeze" || fault.kind === "crash") assert.match(fault.process, processes);
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
          : fault.kind,
  );
  const wanted = [...Object.values(crashPoints).flat(), "standby", "take_over", "usurp", "freeze", "upstream"];
  for (const name of [...wanted, "connection-orders", "messages", "nats", "postgres"])
    assert.ok(met.includes(name), name);
});

test("every point of crash stands in the code of its process", () => {
  const services = join(import.meta.dirname, "..", "..", "services");
  const source = ["messages", "connection", "webhooks", "lib"]
    .flatMap((folder) => readdirSync(join(services, folder)).map((file) => join(services, folder, file)))
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  for (const point of Object.values(crashPoints).flat()) {
    // The kind of the item is filled in by the commit.
    const written = point.replace(/^commit\.\w+\./, "commit.${kind}.");
    assert.ok(source.includes(`faultPoint("${written}")`) || source.includes(`faultPoint(\`${written}\`)`), point);
  }
});
