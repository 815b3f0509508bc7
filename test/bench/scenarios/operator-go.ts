// The same fleet under a plain operator in Go (test/bench/go-operator), as something to compare ours with.
import { mib, ms } from "../format.ts";
import { prepareGoOperator } from "../operator/operators.ts";
import { edit, fill, idle, meter, rest, type Stage, untilLeads } from "../operator/phases.ts";
import { restartCold } from "../operator/restarts.ts";
import { startWorld } from "../operator/world.ts";
import type { Context, Detail, Result, Row, Scenario } from "../scenario.ts";

export const operatorGo: Scenario = {
  name: "operator-go",
  about: "a plain controller-runtime operator that makes the same pods, to compare with",
  isLong: true,
  options: {
    size: { usual: [100, 1_000, 5_000], help: "numbers; each size in a world of its own" },
    "per-account": { usual: [20], help: "numbers of one account" },
    edits: { usual: [200], help: "edits of a spec, one after the other" },
    "rest-minutes": { usual: [10], help: "how long nothing is done" },
  },
  run: runOperatorGo,
};

type Seen = Awaited<ReturnType<typeof measure>>;

async function runOperatorGo(context: Context): Promise<Result> {
  const seen: Seen[] = [];
  for (const size of context.all("size")) seen.push(await measure(context, size));
  return { figures: seen, rows: seen.flatMap(rowsOf), details: seen.map(costsOf) };
}

async function measure(context: Context, size: number) {
  await using stack = context.stack.use(new AsyncDisposableStack());
  const say = (text: string): void => context.say(`${size} numbers: ${text}`);
  const perAccount = context.one("per-account");
  const world = await startWorld({ stack, say, size, perAccount, withServices: false });
  const start = await prepareGoOperator(world, say);
  const operator = stack.use(await start());
  await untilLeads(operator);
  const stage: Stage = { world, operator, say };
  const filled = await meter(stage, () => fill(stage));
  say(`settled after ${filled.result.settledSeconds.toFixed(1)} s`);
  await rest(stage);
  const edited = await meter(stage, () => edit(stage, context.one("edits")));
  say(`edits: ${ms(edited.result.fromRequest.p50)} / ${ms(edited.result.fromRequest.p99)}`);
  await rest(stage);
  const idled = await meter(stage, () => idle(stage, context.one("rest-minutes")));
  const cold = await restartCold(stage, start);
  stack.use(cold.next);
  return { size, filled, edited, idled, cold: { ...cold.seen, fleetWrites: cold.fleetWrites } };
}

const seconds = (value: number): string => `${value.toFixed(1)} s`;

function rowsOf({ size, filled, edited, idled, cold }: Seen): Row[] {
  const row = (what: string, seen: string): Row => ({ what: `${size}: ${what}`, seen, target: "" });
  const { declaredSeconds, podsSeconds, settledSeconds } = filled.result;
  const { fromRequest, fromAnswer } = edited.result;
  return [
    row(
      "declared / all pods made / all settled",
      [declaredSeconds, podsSeconds, settledSeconds].map(seconds).join(" / "),
    ),
    row(
      "operator's CPU seconds per 1,000 numbers, until settled",
      (((filled.cpuSeconds["operator"] ?? 0) * 1_000) / size).toFixed(2),
    ),
    row(
      "operator's memory, most while filling / at rest (RSS, PSS)",
      `${mib(filled.mostRssMiB)}, ${mib(filled.mostPssMiB)} / ${mib(idled.mostRssMiB)}, ${mib(idled.mostPssMiB)} MiB`,
    ),
    row("edit → pod, from the request, p50 / p99", `${ms(fromRequest.p50)} / ${ms(fromRequest.p99)}`),
    row("edit → pod, from its answer, p50 / p99", `${ms(fromAnswer.p50)} / ${ms(fromAnswer.p99)}`),
    row(`writes to the fleet in ${(idled.tookSeconds / 60).toFixed(1)} min of rest`, `${idled.result.fleetWrites}`),
    row(
      "restart, cold caches: to the pod of an edit / all looked at",
      `${seconds(cold.toPodSeconds)} / ${seconds(cold.allSeconds)}`,
    ),
  ];
}

function costsOf({ size, filled, edited, idled }: Seen): Detail {
  const phases = [filled, edited, idled];
  return {
    title: `CPU seconds, ${size} numbers`,
    rows: [
      ["process", "until settled", "edits", "rest"],
      ...Object.keys(filled.cpuSeconds).map((name) => [
        name,
        ...phases.map(({ cpuSeconds }) => (cpuSeconds[name] ?? 0).toFixed(1)),
      ]),
      ["wall time", ...phases.map(({ tookSeconds }) => seconds(tookSeconds))],
    ],
  };
}
