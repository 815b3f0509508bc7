// The system that a run is played on: lease times at a tenth, short waits, an audit of the ledger, and its processes at hand.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { dataFolderAt } from "#local/data-folder.ts";
import { freePortBase, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import { installAudit } from "./audit.ts";

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
const root = new URL("../..", import.meta.url).pathname;

/** `isReady` asks it; a store has nothing to ask. */
export type Found = { pid: number; isReady(): Promise<boolean> };

export type Stage = AsyncDisposable & {
  system: System;
  databaseUrl: string;
  portBase: number;
  logs: string;
  /** Adds variables to a process from its next start on; none takes back what was added. */
  setEnv(process: string, added?: Environment): Promise<void>;
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
    const baseOf = (process: string): Environment => {
      const kind = process.startsWith("connection-") ? "connection" : process;
      return { ...usual[kind], ...added[kind] };
    };
    const setEnv = async (process: string, more: Environment = {}): Promise<void> => {
      const lines = Object.entries({ ...baseOf(process), ...more }).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(join(folder.env, `${process}.env`), lines.join(""));
    };
    await mkdir(folder.env, { recursive: true });
    for (const process of ["messages", "webhooks", "simulator", ...names.map((name) => `connection-${name}`)])
      await setEnv(process);
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
const runFile = z.object({
  processes: z.array(z.object({ name: z.string(), pid: z.number(), http: z.string().nullable() })),
});

async function processesIn(path: string) {
  return runFile.parse(JSON.parse(await readFile(path, "utf8"))).processes;
}

async function find(path: string, name: string): Promise<Found> {
  const found = async () => (await processesIn(path)).find((process) => process.name === name);
  const { pid, http } = await until(found, { timeoutMs: startMs, message: `${name} does not run` });
  return { pid, isReady: async () => http === null || (await answers(`${http}/readyz`)) };
}

function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(answerMs) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
