// The operator with a fleet: from nothing to all pods, edits, rest, restarts, an upgrade of all.
import { mib, ms } from "../format.ts";
import { root } from "../operator/node-process.ts";
import { prepareOperator } from "../operator/operators.ts";
import { edit, fill, idle, meter, rest, type Stage, untilLeads, untilLimitsShow, upgrade } from "../operator/phases.ts";
import { restartCold, takeOver } from "../operator/restarts.ts";
import { startWorld } from "../operator/world.ts";
import type { Context, Detail, Result, Row, Scenario } from "../scenario.ts";

export const operator: Scenario = {
  name: "operator",
  about: "the operator on a real API server with kwok's nodes: all pods, edits, rest, restarts, upgrade",
  isLong: true,
  options: {
    size: { usual: [100, 1_000, 5_000], help: "numbers; each size in a world of its own" },
    "per-account": { usual: [20], help: "numbers of one account" },
    edits: { usual: [200], help: "edits of a spec, one after the other" },
    "rest-minutes": { usual: [10], help: "how long nothing is done" },
    profile: { usual: [0], help: "1: profiles of the operator's CPU go to .heliograph/operator-profiles" },
  },
  run: runOperator,
};

type Seen = Awaited<ReturnType<typeof measure>>;

async function runOperator(context: Context): Promise<Result> {
  const seen: Seen[] = [];
  for (const size of context.all("size")) seen.push(await measure(context, size));
  return { figures: seen, rows: seen.flatMap(rowsOf), details: seen.map(costsOf) };
}

async function measure(context: Context, size: number) {
  await using stack = context.stack.use(new AsyncDisposableStack());
  const say = (text: string): void => context.say(`${size} numbers: ${text}`);
  const perAccount = context.one("per-account");
  const world = await startWorld({ stack, say, size, perAccount, withServices: true });
  const profiler = ["--cpu-prof", "--cpu-prof-interval=2000", `--cpu-prof-dir=${root}.heliograph/operator-profiles`];
  const start = await prepareOperator(world, context.one("profile") === 1 ? profiler : []);
  const operator = stack.use(await start());
  await untilLeads(operator);
  const stage: Stage = { world, operator, say };
  const filled = await meter(stage, () => fill(stage));
  say(`settled after ${filled.result.settledSeconds.toFixed(1)} s`);
  const shown = await meter(stage, async () => {
    await untilLimitsShow(stage);
    await rest(stage);
  });
  const edited = await meter(stage, () => edit(stage, context.one("edits")));
  say(`edits: ${ms(edited.result.fromRequest.p50)} / ${ms(edited.result.fromRequest.p99)}`);
  await rest(stage);
  const idled = await meter(stage, () => idle(stage, context.one("rest-minutes")));
  say(`${idled.result.fleetWrites} writes at rest`);
  const cold = await restartCold(stage, start);
  stack.use(cold.next);
  const ended = await takeOver({ ...stage, operator: cold.next }, start, "SIGTERM");
  stack.use(ended.next);
  const killed = await takeOver({ ...stage, operator: ended.next }, start, "SIGKILL");
  say(`${JSON.stringify([cold.seen, ended.seen, killed.seen])}`);
  stack.use(killed.next);
  const last = { ...stage, operator: killed.next };
  await rest(last);
  const upgraded = await meter(last, () => upgrade(last));
  say(`upgraded after ${upgraded.result.seconds.toFixed(1)} s`);
  return {
    size,
    filled,
    shown,
    edited,
    idled,
    cold: { ...cold.seen, writes: cold.writes, fleetWrites: cold.fleetWrites },
    warm: [ended.seen, killed.seen],
    upgraded,
    standInFaults: world.standIns?.faults(),
  };
}

const seconds = (value: number): string => `${value.toFixed(1)} s`;

function rowsOf({ size, filled, shown, edited, idled, cold, warm, upgraded }: Seen): Row[] {
  const isLargest = size === 5_000;
  const row = (what: string, seen: string, target = ""): Row => ({ what: `${size}: ${what}`, seen, target });
  const { declaredSeconds, podsSeconds, settledSeconds } = filled.result;
  const operatorCpu = ((filled.cpuSeconds["operator"] ?? 0) * 1_000) / size;
  const { fromRequest, fromAnswer } = edited.result;
  const requests = Object.entries(idled.result.requests).map(([method, count]) => `${count} ${method}`);
  return [
    row(
      "declared / all pods made / all settled",
      [declaredSeconds, podsSeconds, settledSeconds].map(seconds).join(" / "),
      isLargest ? "≤ 120 s" : "",
    ),
    row("operator's CPU seconds per 1,000 numbers, until settled", operatorCpu.toFixed(2), "≤ 5"),
    row(
      "operator's memory, most while filling / at rest (RSS, PSS)",
      `${mib(filled.mostRssMiB)}, ${mib(filled.mostPssMiB)} / ${mib(idled.mostRssMiB)}, ${mib(idled.mostPssMiB)} MiB`,
      isLargest ? "≤ 200 MiB" : "",
    ),
    row("quality shown in every status, after settling", seconds(shown.tookSeconds)),
    row("edit → pod, from the request, p50 / p99", `${ms(fromRequest.p50)} / ${ms(fromRequest.p99)}`, "p99 ≤ 200 ms"),
    row("edit → pod, from its answer, p50 / p99", `${ms(fromAnswer.p50)} / ${ms(fromAnswer.p99)}`),
    row(
      `writes to the fleet in ${(idled.tookSeconds / 60).toFixed(1)} min of rest`,
      `${idled.result.fleetWrites}`,
      "0",
    ),
    row("the operator's own requests meanwhile", requests.join(", ")),
    row("the operator's CPU meanwhile", `${(idled.cpuSeconds["operator"] ?? 0).toFixed(1)} s`),
    row(
      "restart, cold caches: to the pod of an edit / all looked at",
      `${seconds(cold.toPodSeconds)} / ${seconds(cold.allSeconds)}`,
    ),
    row("writes to the fleet by the restart, with that edit", `${cold.fleetWrites}`),
    ...warm.map(({ signal, toPodSeconds, allSeconds }) =>
      row(
        `warm second copy after ${signal}: to the pod of an edit / all looked at`,
        `${seconds(toPodSeconds)} / ${seconds(allSeconds)}`,
      ),
    ),
    row(
      "upgrade of all / most that move at once",
      `${seconds(upgraded.result.seconds)} / ${upgraded.result.mostMoving}`,
    ),
  ];
}

function costsOf({ size, filled, edited, idled, upgraded }: Seen): Detail {
  const phases = [filled, edited, idled, upgraded];
  const names = Object.keys(filled.cpuSeconds);
  return {
    title: `CPU seconds, ${size} numbers`,
    rows: [
      ["process", "until settled", "edits", "rest", "upgrade"],
      ...names.map((name) => [name, ...phases.map(({ cpuSeconds }) => (cpuSeconds[name] ?? 0).toFixed(1))]),
      ["wall time", ...phases.map(({ tookSeconds }) => seconds(tookSeconds))],
    ],
  };
}
