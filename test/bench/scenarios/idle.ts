// Start-up time, without and with data, and the memory of each process when nothing happens.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "#lib/lifecycle.ts";
import { freePortBase, startSystem } from "#test/system.ts";
import { mib, ms } from "../format.ts";
import { sample } from "../proc.ts";
import type { Context, Result, Scenario } from "../scenario.ts";

// Long enough for start-up work (first sync, first garbage collection) to be over.
const settleMs = 5_000;

export const idle: Scenario = {
  name: "idle",
  about: "start-up without and with data, memory at rest",
  isLong: false,
  options: {},
  run: runIdle,
};

async function runIdle({ stack, say }: Context): Promise<Result> {
  const dataDir = await mkdtemp(join(tmpdir(), "heliograph-bench-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const portBase = await freePortBase();
  const start = async () => stack.use(await startSystem({ dataDir, portBase }));
  say("first start");
  const first = await start();
  await first[Symbol.asyncDispose]();
  say("next start");
  const next = await start();
  await sleep(settleMs);
  const usage = [...sample(next.run.processes)];
  await next[Symbol.asyncDispose]();
  const total = usage.reduce((sum, [, { pssMiB }]) => sum + pssMiB, 0);
  return {
    figures: {
      firstStartMs: first.startedInMs,
      nextStartMs: next.startedInMs,
      processes: Object.fromEntries(usage.map(([name, { rssMiB, pssMiB }]) => [name, { rssMiB, pssMiB }])),
    },
    rows: [
      { what: "first start (initdb, migrations)", seen: ms(first.startedInMs), target: "≤ 20 s" },
      { what: "next start", seen: ms(next.startedInMs), target: "≤ 20 s" },
      { what: "memory at rest, all processes", seen: `${mib(total)} MiB`, target: "" },
    ],
    details: [
      {
        title: "At rest",
        rows: [
          ["process", "MiB (PSS)", "MiB (RSS)"],
          ...usage.map(([name, at]) => [name, mib(at.pssMiB), mib(at.rssMiB)]),
        ],
      },
    ],
  };
}
