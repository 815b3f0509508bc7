// run.json: what runs where, for scripts, and the processes that a later start must end if this runner was killed.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { endProcess, isAlive } from "./process-identity.ts";

const processSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  /** Base URL of /healthz, /readyz and /metrics; null where there is none. */
  http: z.string().nullable(),
  /** host:port, as grpcurl takes it; null where there is none. */
  grpc: z.string().nullable(),
  /** With pid and command, what tells this process from a later one with its pid. */
  startTime: z.string(),
  command: z.string(),
  startedAt: z.iso.datetime(),
});

const runSchema = z.object({
  /** `up` once everything answers. */
  state: z.enum(["starting", "up"]),
  startedAt: z.iso.datetime(),
  gateway: z.string(),
  simulator: z.string(),
  /** Where the subscription's deliveries go is its path /webhook; null if --webhook names another address. */
  receiver: z.string().nullable(),
  token: z.string(),
  appSecret: z.string(),
  numbers: z.array(
    z.object({ name: z.string(), phoneNumberId: z.string(), displayPhoneNumber: z.string(), wabaId: z.string() }),
  ),
  processes: z.array(processSchema),
});

export type RunFile = z.infer<typeof runSchema>;
export type RunningProcess = z.infer<typeof processSchema>;

/** Replaces the file in one step; only its owner can read it. */
export function writeRunFile(path: string, run: RunFile): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined if there is none that can be read. */
export function readRunFile(path: string): RunFile | undefined {
  try {
    return runSchema.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}

const orphanGraceMs = 4_000;
const stores = new Set(["postgres", "nats"]);

/** Ends what a killed runner left: only processes whose pid, start time and command all agree. Returns their names. */
export async function endOrphans({ processes }: RunFile): Promise<string[]> {
  const orphans = processes.filter(isAlive);
  const end = (process: RunningProcess): Promise<void> =>
    endProcess(process, stopSignalOf(process.name), orphanGraceMs);
  await Promise.all(orphans.filter(({ name }) => !stores.has(name)).map(end));
  await Promise.all(orphans.filter(({ name }) => stores.has(name)).map(end));
  return orphans.map(({ name }) => name);
}

/** SIGTERM lets Postgres wait for its clients; SIGINT is its fast shutdown. */
export function stopSignalOf(name: string): NodeJS.Signals {
  return name === "postgres" ? "SIGINT" : "SIGTERM";
}
