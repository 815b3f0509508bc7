// npm run chaos: seeded faults on the whole system under load, judged by the phones, the webhook and the client.
import { appendFileSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { mutations, provoke, ruleOf } from "./mutations.ts";
import { play } from "./play.ts";
import { evidenceOf, type Figures, figuresOf, lineOf, parseFigures, summaryOf } from "./report.ts";

const help = `npm run chaos -- [options]

Starts the whole system, kills, freezes and misleads its processes under load, and judges: nothing twice on a phone, nothing lost.

  --seed N       of the first run's schedule; each further run has the next (default 1)
  --runs M       how many runs                                              (default 1)
  --kills K      kill -9 in each run                                        (default 40)
  --rate R       messages a second                                          (default 10)
  --verbose      tells of each run what was done and when, also if all went well
  --json         prints the figures of each run as one line of JSON, and nothing else to stdout
  --append FILE  adds these lines to a file, so that a long proof can be made in pieces
  --sum FILE     instead: adds up what is in such a file; may be repeated
  --mutate NAME  instead: switches a guard off and succeeds if the judges notice (${mutations.join(", ")})
  --help         this text

Exits with 1 after a violation, with the command that replays it: the same seed brings the same schedule of faults.
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    kills: { type: "string", default: "40" },
    rate: { type: "string", default: "10" },
    append: { type: "string" },
    sum: { type: "string", multiple: true },
    mutate: { type: "string" },
    json: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const remark = (text: string): void => void process.stderr.write(`${text}\n`);

async function mutate(wanted: string): Promise<number> {
  const mutation = mutations.find((name) => name === wanted);
  if (mutation === undefined) {
    remark(`--mutate is one of ${mutations.join(", ")}, not "${wanted}"`);
    return 2;
  }
  const { violations } = await provoke(mutation);
  for (const rule of new Set(violations.map((one) => one.rule))) {
    const same = violations.filter((one) => one.rule === rule);
    print(`${rule}, ${same.length} times, such as: ${same[0]?.what}`);
  }
  const isNoticed = violations.some(({ rule }) => rule === ruleOf[mutation]);
  print(
    `${mutation}: ${violations.length} violations${isNoticed ? "" : `, the judges do not see "${ruleOf[mutation]}"`}`,
  );
  return isNoticed ? 0 : 1;
}

async function playAll(): Promise<number> {
  const { append, json, verbose } = values;
  const runs: Figures[] = [];
  const first = Number(values.seed);
  const count = Number(values.runs);
  const how = { kills: Number(values.kills), perSecond: Number(values.rate) };
  for (let seed = first; seed < first + count; seed++) {
    const tell = (progress: string): void => remark(`  run ${runs.length + 1} of ${count}, seed ${seed}: ${progress}`);
    const result = await play({ seed, ...how, tell });
    const figures = figuresOf(result);
    const line = JSON.stringify(figures);
    runs.push(figures);
    if (append !== undefined) appendFileSync(append, `${line}\n`);
    print(json ? line : lineOf(figures));
    if (verbose || figures.violations > 0) remark(evidenceOf(result, how));
  }
  if (!json) print(summaryOf(runs));
  return exitCodeOf(runs);
}

function addUp(files: readonly string[]): number {
  const runs = files.flatMap((file) => parseFigures(readFileSync(file, "utf8")));
  print(summaryOf(runs));
  return exitCodeOf(runs);
}

function exitCodeOf(runs: readonly Figures[]): number {
  return runs.every(({ violations }) => violations === 0) ? 0 : 1;
}

if (values.help) print(help);
else if (values.sum !== undefined) process.exitCode = addUp(values.sum);
else process.exitCode = await (values.mutate === undefined ? playAll() : mutate(values.mutate));
