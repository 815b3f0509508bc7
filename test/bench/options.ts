// The command line of `npm run bench`: which scenarios, with which values.
import { parseArgs } from "node:util";
import type { Scenario } from "./scenario.ts";

/** What is wrong with the command line, in one line. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

export type Choice = {
  scenarios: readonly Scenario[];
  /** Those given; each has at least one number. */
  values: ReadonlyMap<string, readonly number[]>;
  /** Where the figures go too. */
  out: string;
  isJson: boolean;
};

const usualFile = ".heliograph/bench.json";

/** Throws ArgumentError. */
export function readChoice(catalog: readonly Scenario[], args: string[]): Choice | "help" {
  const { values, positionals } = parse(catalog, args);
  if (values["help"] === true) return "help";
  const scenarios = choose(catalog, positionals);
  const given = new Map<string, readonly number[]>();
  for (const [option, value] of Object.entries(values)) {
    if (typeof value !== "string" || option === "out") continue;
    if (!scenarios.some(({ options }) => option in options))
      throw new ArgumentError(`--${option} is of none of these scenarios: ${namesOf(scenarios)}`);
    given.set(option, readNumbers(option, value));
  }
  const out = values["out"];
  return {
    scenarios,
    values: given,
    out: typeof out === "string" ? out : usualFile,
    isJson: values["json"] === true,
  };
}

function parse(catalog: readonly Scenario[], args: string[]) {
  const own = catalog.flatMap(({ options }) => Object.keys(options));
  const options = {
    ...Object.fromEntries(own.map((option) => [option, { type: "string" }] as const)),
    out: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [what = ""] = error.message.split(/\. |\n/);
    throw new ArgumentError(what.charAt(0).toLowerCase() + what.slice(1), { cause: error });
  }
}

function choose(catalog: readonly Scenario[], names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return catalog.filter(({ isLong }) => !isLong);
  const unknown = names.find((name) => catalog.every((scenario) => scenario.name !== name));
  if (unknown !== undefined) throw new ArgumentError(`there is no scenario ${unknown}, only ${namesOf(catalog)}`);
  return catalog.filter(({ name }) => names.includes(name));
}

function namesOf(scenarios: readonly Scenario[]): string {
  return scenarios.map(({ name }) => name).join(", ");
}

function readNumbers(option: string, value: string): number[] {
  const numbers = value.split(",").map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.some((number) => Number.isNaN(number)))
    throw new ArgumentError(`--${option} must be a number, or several with commas between, not "${value}"`);
  return numbers;
}

const column = 22;

export function helpFor(catalog: readonly Scenario[]): string {
  const line = (left: string, right: string): string => `  ${left.padEnd(column)} ${right}`;
  return [
    "npm run bench -- [scenario ...] [options]",
    "",
    "Starts the whole system (embedded Postgres, NATS, simulator, all services) as processes on this machine, once for each part, and",
    "measures it. Prints tables in Markdown; progress goes to stderr. Without a name: all scenarios but the long ones.",
    "",
    ...catalog.flatMap(({ name, about, isLong, options }) => [
      line(name, `${about}${isLong ? " (long)" : ""}`),
      ...Object.entries(options).map(([option, { usual, help }]) =>
        line(`  --${option} N`, `${help} (default ${usual.join(",")})`),
      ),
    ]),
    "",
    line("--out FILE", `where the figures go as JSON (default ${usualFile})`),
    line("--json", "print the JSON instead of the tables"),
    line("--help", "print this"),
    "",
    "Exit codes: 0 measured, 1 a scenario failed, 2 wrong usage.",
    "",
  ].join("\n");
}
