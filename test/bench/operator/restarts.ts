// An operator that ends and comes back, and one that takes over from another.
import { until } from "#test/until.ts";
import { sample } from "../proc.ts";
import { fleetWrites, readWrites, writesBetween } from "./api-requests.ts";
import { type NodeProcess, sumSeries } from "./node-process.ts";
import type { StartOperator } from "./operators.ts";
import { editOne, reconcilesOf, type Stage, untilMoved } from "./phases.ts";

const longestMs = 600_000;

/** With nothing in its caches: ended in order, started again, and meanwhile a number is edited. */
export async function restartCold(stage: Stage, start: StartOperator) {
  const { world, operator, say } = stage;
  const name = world.declared.numbers[0]?.metadata.name ?? "";
  await operator.end("SIGTERM");
  const writesBefore = await readWrites(world.kube);
  const startedAtMs = performance.now();
  const [next, { podAtMs, epoch }] = await Promise.all([start(), editOne(stage, name)]);
  const toPodSeconds = (podAtMs - startedAtMs) / 1_000;
  say(`the first pod after the restart came after ${toPodSeconds.toFixed(1)} s`);
  await untilLookedAtAll(next, world.declared.numbers.length);
  const allSeconds = (performance.now() - startedAtMs) / 1_000;
  await untilMoved(stage, name, epoch);
  const writes = writesBetween(writesBefore, await readWrites(world.kube));
  const usage = sample([next]).get(next.name);
  return {
    next,
    seen: { toPodSeconds, allSeconds, cpuSeconds: usage?.cpuSeconds, rssMiB: usage?.rssMiB, pssMiB: usage?.pssMiB },
    writes,
    fleetWrites: fleetWrites(writes),
  };
}

/** Every number was looked at and none waits. */
async function untilLookedAtAll(operator: NodeProcess, size: number): Promise<void> {
  const isDone = async (): Promise<boolean> => {
    const series = await operator.series();
    return (await reconcilesOf(operator)) >= size && sumSeries(series, "workqueue_depth") === 0;
  };
  await until(isDone, { timeoutMs: longestMs, message: "not every number was looked at" });
}

/** A second copy with warm caches takes over from one that ends by `signal`, and a number is edited at that moment. */
export async function takeOver(stage: Stage, start: StartOperator, signal: "SIGTERM" | "SIGKILL") {
  const { world, operator } = stage;
  const size = world.declared.numbers.length;
  const name = world.declared.numbers[1]?.metadata.name ?? "";
  const standby = await start();
  // Its caches are warm when every number waits to be looked at, which it may not do yet.
  const isWarm = async (): Promise<boolean> => sumSeries(await standby.series(), "workqueue_depth") >= size;
  await until(isWarm, { timeoutMs: longestMs, message: "the second copy did not fill its caches" });
  const rssMiB = sample([standby]).get(standby.name)?.rssMiB;
  const startedAtMs = performance.now();
  const [, { podAtMs, epoch }] = await Promise.all([operator.end(signal), editOne(stage, name)]);
  const toPodSeconds = (podAtMs - startedAtMs) / 1_000;
  await untilLookedAtAll(standby, size);
  const allSeconds = (performance.now() - startedAtMs) / 1_000;
  await untilMoved(stage, name, epoch);
  return { next: standby, seen: { signal, toPodSeconds, allSeconds, standbyRssMiB: rssMiB } };
}
