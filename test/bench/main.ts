// npm run bench: starts the whole system as processes and measures it. Prints tables and writes JSON.
// Never part of a test: machines are noisy, figures are read by people.
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import { catalog } from "./catalog.ts";
import { ArgumentError, type Choice, helpFor, readChoice } from "./options.ts";
import { foreignShare, machineUse } from "./proc.ts";
import { type Machine, type Measured, report } from "./report.ts";
import type { Context, Scenario } from "./scenario.ts";

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const machine: Machine = {
  cores: cpus().length,
  model: cpus()[0]?.model ?? "",
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};

function contextOf({ name, options }: Scenario, { values }: Choice, stack: AsyncDisposableStack): Context {
  const all = (option: string): readonly number[] => {
    const found = values.get(option) ?? options[option]?.usual;
    if (found === undefined) throw new Error(`scenario ${name} has no option ${option}`);
    return found;
  };
  const startedAt = performance.now();
  return {
    stack,
    all,
    one: (option) => all(option)[0] ?? Number.NaN,
    say: (text) => say(`${name}, ${((performance.now() - startedAt) / 1_000).toFixed(0)} s: ${text}`),
  };
}

async function measure(scenario: Scenario, choice: Choice, interrupted: Promise<never>): Promise<Measured> {
  const before = machineUse();
  const head = { scenario: scenario.name, at: new Date().toISOString(), loadBefore: loadavg()[0] ?? 0 };
  const outcome = await withStack((stack) =>
    Promise.race([scenario.run(contextOf(scenario, choice, stack)), interrupted]),
  );
  const after = machineUse();
  const tookSeconds = (after.atMs - before.atMs) / 1_000;
  return { ...head, tookSeconds, foreignShare: foreignShare(before, after), ...outcome };
}

async function withStack<T>(work: (stack: AsyncDisposableStack) => Promise<T>) {
  const stack = new AsyncDisposableStack();
  try {
    return { result: await work(stack) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return { failed: `${error instanceof Error ? error.message : String(error)}${cause}` };
  } finally {
    await stack.disposeAsync();
  }
}

async function write(choice: Choice, all: readonly Measured[]): Promise<string> {
  const measured = all.map(({ scenario, ...rest }) => {
    if (!("result" in rest)) return { scenario, ...rest };
    const { result, ...head } = rest;
    return { scenario, ...head, figures: result.figures };
  });
  const json = JSON.stringify({ machine, measured }, null, 2);
  await mkdir(dirname(choice.out), { recursive: true });
  await writeFile(choice.out, `${json}\n`);
  return json;
}

async function bench(choice: Choice): Promise<number> {
  let isInterrupted = false;
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        isInterrupted = true;
        reject(new Error(`interrupted by ${signal}`));
      });
  });
  interrupted.catch(() => undefined);
  const all: Measured[] = [];
  for (const scenario of choice.scenarios) {
    if (isInterrupted) break;
    const measured = await measure(scenario, choice, interrupted);
    if ("failed" in measured) say(`${scenario.name} failed: ${measured.failed}`);
    all.push(measured);
  }
  const json = await write(choice, all);
  process.stdout.write(choice.isJson ? `${json}\n` : report(machine, all));
  say(`figures are in ${choice.out}`);
  return all.some((measured) => "failed" in measured) ? 1 : 0;
}

async function main(args: string[]): Promise<number> {
  try {
    const choice = readChoice(catalog, args);
    if (choice !== "help") return await bench(choice);
    process.stdout.write(helpFor(catalog));
    return 0;
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    say(`bench: ${error.message} (--help explains)`);
    return 2;
  }
}

// What an interrupted scenario still waits for ends with its system.
process.exit(await main(process.argv.slice(2)));
