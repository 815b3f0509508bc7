// Runs once before all tests: starts PostgreSQL, finds nats-server and an API server. Test processes learn of both by environment variables.
import { join } from "node:path";
import { findNatsServer } from "#local/nats.ts";
import { type PostgresServer, startPostgres } from "#local/postgres.ts";
import { clearRunFolder, clearStaleRuns, makeRunFolder } from "./folder.ts";
import { findKubeBinaries, kubeMissing } from "./kube-binaries.ts";
import { testLog } from "./log.ts";

let folder: string | undefined;
let postgres: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  await clearStaleRuns();
  folder = makeRunFolder();
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  process.env["HELIOGRAPH_TEST_NATS"] = await findNatsServer({ progress });
  // Here, because a first build takes longer than a test may. Tests that need them say what is missing.
  await findKubeBinaries(progress).catch((error: unknown) => {
    process.env[kubeMissing] = error instanceof Error ? error.message : String(error);
  });
  postgres = await startPostgres({
    dataDir: join(folder, "postgres", "data"),
    port: 0,
    host: "127.0.0.1",
    log: testLog,
    fsync: false,
    maxConnections: 500,
  });
  process.env["HELIOGRAPH_TEST_POSTGRES"] = postgres.url;
}

export async function globalTeardown(): Promise<void> {
  await postgres?.[Symbol.asyncDispose]();
  if (folder !== undefined) await clearRunFolder(folder);
}
