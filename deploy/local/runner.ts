// What `npm start` does: reads the options, checks all that can be checked, brings the stack up and waits for Ctrl-C.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { ArgumentError, help, type Options, readOptions } from "./args.ts";
import {
  clearData,
  type DataFolder,
  DataFolderError,
  dataFolderAt,
  LockedError,
  lockDataFolder,
} from "./data-folder.ts";
import { ManifestError, readManifests } from "./manifests.ts";
import { findNatsServer } from "./nats.ts";
import { commandsOf, type Row, tableOf } from "./output.ts";
import { findTakenPorts, listPorts, planPorts } from "./ports.ts";
import { memoryOf } from "./process-identity.ts";
import { endOrphans, readRunFile } from "./run-file.ts";
import { createStack, type Stack } from "./stack.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
// npm passes Ctrl-C on to us although the terminal has done so: what comes this soon is the same key press.
const samePressMs = 500;

const warn = (line: string): void => void process.stderr.write(`${line}\n`);

/** Resolves to the exit code, when everything has ended. */
export async function runLocal(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  let stack: Stack | undefined;
  const ending = watchSignals(() => stack?.kill());
  try {
    const caller = env["npm_lifecycle_event"] === "start" ? env["INIT_CWD"] : undefined;
    const options = readOptions(args, { caller: caller ?? process.cwd(), project: root });
    if (options === "help") {
      process.stdout.write(help);
      return 0;
    }
    const folder = dataFolderAt(options.dataFolder);
    using _lock = lockDataFolder(folder);
    stack = await prepare(options, folder, env, ending.signal);
    try {
      await Promise.race([stack.start(), ending.code]);
      if (!ending.signal.aborted) present(stack, options);
      return await ending.code;
    } finally {
      await stack.stop();
      rmSync(folder.runFile, { force: true });
    }
  } catch (error) {
    // What fails because it is being stopped is no news.
    if (ending.signal.aborted) return ending.code;
    warn(describe(error));
    return error instanceof ArgumentError ? 2 : 1;
  }
}

/** The first Ctrl-C, SIGTERM or hang-up, or a bug, asks for an end in order; a second signal kills. */
function watchSignals(kill: () => void): { signal: AbortSignal; code: Promise<number> } {
  const stopping = new AbortController();
  let askedAt: number | undefined;
  const code = new Promise<number>((resolve) => {
    const end = (exitCode: number): void => {
      askedAt ??= performance.now();
      stopping.abort();
      resolve(exitCode);
    };
    const onSignal = (signal: NodeJS.Signals): void => {
      if (askedAt !== undefined && performance.now() - askedAt < samePressMs) return;
      if (askedAt !== undefined) {
        kill();
        process.exit(130);
      }
      warn(signal === "SIGINT" ? "stopping; Ctrl-C again kills" : "stopping");
      end(0);
    };
    const onBug = (error: unknown): void => {
      warn(`stopping because of a bug: ${inspect(error)}`);
      end(1);
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal).on("uncaughtException", onBug);
  });
  // The terminal may be closed before we are.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  return { signal: stopping.signal, code };
}

/** Everything that can fail before a process is started. */
async function prepare(
  options: Options,
  folder: DataFolder,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Stack> {
  const tell = (line: string): void => void (options.isQuiet || process.stdout.write(`${line}\n`));
  const manifests = readManifests(options.numbersFolder);
  const ports = planPorts(options.ports, manifests.numbers.length);
  const natsBinary = await findNatsServer({ progress: tell, signal });
  const last = readRunFile(folder.runFile);
  const orphans = last === undefined ? [] : await endOrphans(last);
  if (orphans.length > 0) tell(`ended what a killed run had left: ${orphans.join(", ")}`);
  const taken = await findTakenPorts(options.host, listPorts(ports, options.webhookUrl === undefined));
  if (taken.length > 0) throw new Error(summaryOf(taken));
  signal.throwIfAborted();
  if (options.isFresh) clearData(folder);
  const print = (text: string): void => void process.stdout.write(text);
  return createStack({
    options,
    manifests,
    folder,
    ports,
    natsBinary,
    env: inherited(env),
    signal,
    tell,
    warn: timed(warn),
    print,
  });
}

/** Where another stack runs on these ports, a line for each would bury what helps. */
function summaryOf([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} (and ${others.length} more ports: --port-base moves all of them)`;
}

function timed(say: (line: string) => void): (line: string) => void {
  return (line) => say(`${new Date().toISOString().slice(11)}  ${line}`);
}

const inheritedNames = /^(PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|LOG_LEVEL|OTEL_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_.*)$/;

/** What a service may see of the environment of the person who started it. */
function inherited(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => inheritedNames.test(name)));
}

function present(stack: Stack, options: Options): void {
  const seconds = (performance.now() / 1_000).toFixed(1);
  const { gateway, simulator, receiver, token, numbers } = stack.run();
  const lines = [`up in ${seconds} s`];
  const [number] = numbers;
  if (!options.isQuiet && number !== undefined) {
    const addresses = { gateway, simulator, receiver: receiver ?? "" };
    lines.unshift("", tableOf([...stack.rows(), ownRow()]), "");
    lines.push("", commandsOf({ ...number, addresses, token }), "", webhooksLine(options));
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The runner is a process of the system too, and takes memory. */
function ownRow(): Row {
  return { what: "npm start", address: "", pid: process.pid, memoryBytes: memoryOf(process.pid) };
}

function webhooksLine({ webhookUrl }: Options): string {
  return webhookUrl === undefined
    ? "webhooks appear below; Ctrl-C stops all"
    : `webhooks go to ${webhookUrl}; Ctrl-C stops all`;
}

function describe(error: unknown): string {
  const told = [ArgumentError, ManifestError, LockedError, DataFolderError];
  if (error instanceof Error && told.some((kind) => error instanceof kind)) return error.message;
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof ReferenceError)
    return `a bug: ${inspect(error)}`;
  return error.message;
}
