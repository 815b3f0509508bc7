// npm run chaos: seeded faults on the whole system under load, judged by the phones, the webhook and the client.
import { parseArgs } from "node:util";
import { mutations, provoke, ruleOf } from "./mutations.ts";
import { play, type Result } from "./play.ts";
import { evidenceOf, lineOf, summaryOf } from "./report.ts";

const help = `npm run chaos -- [options]

Starts the whole system, kills, freezes and misleads its processes under load, and judges: nothing twice on a phone, nothing lost.

  --seed N       of the first run's schedule; each further run has the next (default 1)
  --runs M       how many runs                                              (default 1)
  --kills K      kill -9 in each run                                        (default 40)
  --rate R       messages a second                                          (default 10)
  --verbose      tells of each run what was done and when, also if all went well
  --mutate NAME  instead: switches a guard off and succeeds if the judges notice (${mutations.join(", ")})
  --help         this text

Exits with 1 after a violation; the same seed brings the same schedule of faults.
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    kills: { type: "string", default: "40" },
    rate: { type: "string", default: "10" },
    mutate: { type: "string" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function mutate(wanted: string): Promise<number> {
  const mutation = mutations.find((name) => name === wanted);
  if (mutation === undefined) {
    print(`--mutate is one of ${mutations.join(", ")}, not "${wanted}"`);
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
  const results: Result[] = [];
  const first = Number(values.seed);
  for (let seed = first; seed < first + Number(values.runs); seed++) {
    const result = await play({ seed, kills: Number(values.kills), perSecond: Number(values.rate) });
    results.push(result);
    print(lineOf(result));
    if (values.verbose || result.violations.length > 0) print(evidenceOf(result));
  }
  print(summaryOf(results));
  return results.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

if (values.help) print(help);
else process.exitCode = await (values.mutate === undefined ? playAll() : mutate(values.mutate));
