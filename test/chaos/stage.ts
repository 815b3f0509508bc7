// The system that a run is played on: lease times at a tenth, short waits, an audit of the ledger, and its processes at hand.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { dataFolderAt } from "#local/data-folder.ts";
import { freePortBase, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import { installAudit } from "./audit.ts";
import { clockOwners } from "./schedule.ts";

export const leaseMs = 1_500;

type Environment = Record<string, string>;

const usual: Record<string, Environment> = {
  messages: {
    LEASE_MS: String(leaseMs),
    RENEW_EVERY_MS: "500",
    STOP_AFTER_MS: "1000",
    FINISH_TIMEOUT_MS: "6000",
  },
  connection: { UPSTREAM_TIMEOUT_MS: "3000", UPSTREAM_CONNECT_TIMEOUT_MS: "1000" },
  webhooks: { RETRY_BASE_MS: "100", RETRY_CAP_MS: "2000", LEASE_SLACK_MS: "1000", SEARCH_INTERVAL_MS: "500" },
  simulator: {
    WEBHOOK_RETRY_BASE_MS: "100",
    WEBHOOK_RETRY_MAX_MS: "2000",
    DELIVER_AFTER_MS: "50",
    READ_AFTER_MS: "100",
  },
};
// The least that a number may declare.
const unknownTimeoutSeconds = 10;
/** After so long the ledger knows the end of a message that nobody speaks of: the finish and the unknown timeout, and looking. */
export const longestUnknownMs = 20_000;
const root = new URL("../..", import.meta.url).pathname;

/** Both ask it; a store has nothing to ask. A connection without the lease is up, not ready. */
export type Found = { pid: number; isUp(): Promise<boolean>; isReady(): Promise<boolean> };

export type Stage = AsyncDisposable & {
  system: System;
  databaseUrl: string;
  portBase: number;
  logs: string;
  /** Adds variables to a process from its next start on; none takes back what was added. */
  setEnv(process: string, added?: Environment): Promise<void>;
  /** How far the wall clock of the process is ahead; it looks within 0.1 s. */
  setClock(process: string, offsetMs: number): Promise<void>;
  /** Puts every clock ahead by as much, so that what waits for a time is due. */
  passTime(ms: number): Promise<void>;
  /** Waits until it runs. */
  find(process: string): Promise<Found>;
  isRunning(pid: number): Promise<boolean>;
  /** Keeps data and logs for whoever looks into a failure. */
  keep(): void;
};

/** `added` is environment on top of the usual, by process; `connection` means each of them. */
export async function openStage(added: Record<string, Environment> = {}): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  let isKept = false;
  try {
    const place = await mkdtemp(join(tmpdir(), "heliograph-chaos-"));
    const remove = (): Promise<void> =>
      isKept ? Promise.resolve() : rm(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stack.defer(remove);
    const dataDir = join(place, "data");
    const folder = dataFolderAt(dataDir);
    const numbersDir = join(place, "numbers");
    const names = await writeNumbers(numbersDir);
    const clocks = [...clockOwners, ...names.map((name) => `connection-${name}`)];
    const setClock = (process: string, offsetMs: number): Promise<void> =>
      writeClock(clockFile(place, process), offsetMs);
    const passTime = async (ms: number): Promise<void> =>
      void (await Promise.all(clocks.map((process) => setClock(process, ms))));
    const baseOf = (process: string): Environment => {
      const kind = process.startsWith("connection-") ? "connection" : process;
      const clock = clocks.includes(process) ? { HELIOGRAPH_CLOCK_OFFSET_FILE: clockFile(place, process) } : {};
      return { ...usual[kind], ...added[kind], ...clock };
    };
    const setEnv = async (process: string, more: Environment = {}): Promise<void> => {
      const lines = Object.entries({ ...baseOf(process), ...more }).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(join(folder.env, `${process}.env`), lines.join(""));
    };
    await mkdir(folder.env, { recursive: true });
    await passTime(0);
    for (const process of ["simulator", ...clocks]) await setEnv(process);
    const portBase = await freePortBase();
    const system = stack.use(await startSystem({ dataDir, numbersDir, portBase, env: { LOG_LEVEL: "info" } }));
    const password = (await readFile(`${folder.postgres}.password`, "utf8")).trim();
    const databaseUrl = `postgres://postgres:${password}@127.0.0.1:${portBase + 3}/postgres`;
    await installAudit(databaseUrl);
    const disposal = stack.move();
    return {
      system,
      databaseUrl,
      portBase,
      logs: folder.logs,
      setEnv,
      setClock,
      passTime,
      find: (process) => find(folder.runFile, process),
      isRunning: async (pid) => (await processesIn(folder.runFile)).some((process) => process.pid === pid),
      keep: () => void (isKept = true),
      [Symbol.asyncDispose]: () => disposal.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function clockFile(place: string, process: string): string {
  return join(place, `${process}.clock`);
}

/** At once: a process never reads half of it. */
async function writeClock(file: string, offsetMs: number): Promise<void> {
  await writeFile(`${file}.new`, `${offsetMs}\n`);
  await rename(`${file}.new`, file);
}

/** The sample manifests with a short unknown timeout; the names of their numbers. */
async function writeNumbers(folder: string): Promise<string[]> {
  await cp(join(root, "deploy/samples"), folder, { recursive: true });
  const names: string[] = [];
  for (const file of await readdir(folder)) {
    const text = await readFile(join(folder, file), "utf8");
    for (const [, name = ""] of text.matchAll(/kind: WhatsAppNumber\nmetadata:\n {2}name: (\S+)/g)) names.push(name);
    const short = text.replaceAll(
      /^( *)phoneNumberId:/gm,
      `$1unknownTimeoutSeconds: ${unknownTimeoutSeconds}\n$1phoneNumberId:`,
    );
    await writeFile(join(folder, file), short);
  }
  return names;
}

const startMs = 30_000;
const answerMs = 1_000;
const runFileSchema = z.object({
  processes: z.array(z.object({ name: z.string(), pid: z.number(), http: z.string().nullable() })),
});

async function processesIn(path: string) {
  return runFileSchema.parse(JSON.parse(await readFile(path, "utf8"))).processes;
}

async function find(runFile: string, name: string): Promise<Found> {
  const found = async () => (await processesIn(runFile)).find((process) => process.name === name);
  const { pid, http } = await until(found, { timeoutMs: startMs, message: `${name} does not run` });
  const ask = async (path: string): Promise<boolean> => http === null || (await answers(`${http}${path}`));
  return { pid, isUp: () => ask("/healthz"), isReady: () => ask("/readyz") };
}

function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(answerMs) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
