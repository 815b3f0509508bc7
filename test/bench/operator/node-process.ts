// A program of ours as a process of its own, as a user starts it, with what it prints in a file and its series by HTTP.
import { join } from "node:path";
import { findFreePort, spawnServer } from "#local/server-process.ts";
import { until } from "#test/until.ts";
import { scrape, type Series } from "../scrape.ts";

export type NodeProcess = AsyncDisposable & {
  name: string;
  pid: number;
  /** Series of this moment. */
  series(): Promise<Series[]>;
  /** Sends the signal and resolves when the process is gone. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
};

type Program = {
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Of its log. */
  folder: string;
  /** The path that answers 200 when it is up. */
  readyPath: string;
  /** Given a free port, what tells the program to serve HTTP there. */
  portEnv: (port: number) => Record<string, string>;
};

const host = "127.0.0.1";
const readyMs = 60_000;
export const root = new URL("../../..", import.meta.url).pathname;

/** Resolves when it is up; its log is `<name>.log`, or `<name>-2.log` for the second of the name, and so on. */
export async function startProgram(program: Program): Promise<NodeProcess> {
  const { name, command, args, env, folder, readyPath, portEnv } = program;
  const port = await findFreePort(host);
  const url = `http://${host}:${port}`;
  const server = await spawnServer({
    command,
    args,
    env: { ...process.env, ...env, ...portEnv(port) },
    logFile: join(folder, `${name}-${port}.log`),
  });
  const isUp = async (): Promise<boolean> => {
    if (server.hasExited()) return true;
    return (await fetch(`${url}${readyPath}`)).ok;
  };
  const tail = (): string => server.output().trim().split("\n").slice(-3).join(" | ");
  try {
    await until(isUp, { timeoutMs: readyMs, message: `${name} did not start: ${tail()}` });
    if (server.hasExited()) throw new Error(`${name} ended at once: ${tail()}`);
  } catch (error) {
    await server.stop(["SIGKILL"]);
    throw error;
  }
  return {
    name,
    pid: server.pid,
    series: () => scrape(url),
    end: (signal) => server.stop([signal]),
    [Symbol.asyncDispose]: () => server.stop(["SIGTERM"]),
  };
}

type Service = {
  name: string;
  entry: string;
  env: Readonly<Record<string, string>>;
  folder: string;
  nodeArgs?: string[];
};

/** One of the repository's own entry files, from source. */
export function startNode({ name, entry, env, folder, nodeArgs = [] }: Service): Promise<NodeProcess> {
  return startProgram({
    name,
    command: process.execPath,
    args: [...nodeArgs, join(root, entry)],
    env: { LISTEN_HOST: host, LOG_LEVEL: "warn", ...env },
    folder,
    readyPath: "/readyz",
    portEnv: (port) => ({ HTTP_PORT: String(port) }),
  });
}

/** The sum of a metric's series with these labels. */
export function sumSeries(
  series: readonly Series[],
  metric: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return series
    .filter(
      (each) => each.name === metric && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}
