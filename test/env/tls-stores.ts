// A nats-server and a PostgreSQL that speak TLS alone and want to see a certificate, each with files that a test may replace.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startPostgres } from "#local/postgres.ts";
import { findFreePort, type ServerProcess, spawnServer } from "#local/server-process.ts";
import { createPool } from "#lib/postgres.ts";
import { until } from "#test/until.ts";
import { privateFolder } from "./folder.ts";
import { testLog } from "./log.ts";

const host = "127.0.0.1";

export type TlsStore = AsyncDisposable & {
  url: string;
  /** Has the server read its certificates again; connections go on. */
  reload(): void;
};

export type TlsNats = TlsStore & {
  /** Ends it and starts it again with the data it had, so that clients connect anew. */
  restart(): Promise<void>;
};

/** With JetStream. `tlsFolder` holds ca.crt, tls.crt and tls.key. */
export async function startTlsNats(tlsFolder: string): Promise<TlsNats> {
  const binary = process.env["HELIOGRAPH_TEST_NATS"];
  if (binary === undefined) throw new Error("no nats-server: run with --test-global-setup=test/env/global-setup.ts");
  const folder = privateFolder("nats-tls");
  const port = await findFreePort(host);
  const file = (name: string): string => JSON.stringify(join(tlsFolder, name));
  const config = join(folder, "nats-server.conf");
  writeFileSync(
    config,
    `host: ${host}
port: ${port}
pid_file: ${JSON.stringify(join(folder, "nats-server.pid"))}
jetstream { store_dir: ${JSON.stringify(join(folder, "jetstream"))} }
tls { ca_file: ${file("ca.crt")}, cert_file: ${file("tls.crt")}, key_file: ${file("tls.key")}, verify: true }
`,
  );
  const start = async (): Promise<ServerProcess> => {
    const logFile = join(folder, "nats-server.log");
    const started = await spawnServer({ command: binary, args: ["-c", config], logFile });
    await until(() => started.output().includes("Server is ready"), {
      timeoutMs: 30_000,
      message: "nats-server with TLS",
    });
    return started;
  };
  let server = await start();
  return {
    url: `nats://${host}:${port}`,
    reload: () => void process.kill(server.pid, "SIGHUP"),
    async restart() {
      await server.stop(["SIGTERM"]);
      server = await start();
    },
    [Symbol.asyncDispose]: () => server.stop(["SIGTERM"]),
  };
}

/** Lets nobody in who shows no certificate with the name of the database user, which is postgres, and the password. */
export async function startTlsPostgres(tlsFolder: string): Promise<TlsStore> {
  const dataDir = join(privateFolder("postgres-tls"), "data");
  const server = await startPostgres({ dataDir, port: 0, host, log: testLog, fsync: false });
  const settings = {
    ssl: "on",
    ssl_ca_file: join(tlsFolder, "ca.crt"),
    ssl_cert_file: join(tlsFolder, "tls.crt"),
    ssl_key_file: join(tlsFolder, "tls.key"),
  };
  await using pool = createPool({ url: server.url, size: 1, log: testLog, applicationName: "test" });
  for (const [name, value] of Object.entries(settings)) await pool.query(`alter system set ${name} = '${value}'`);
  writeFileSync(join(dataDir, "pg_hba.conf"), "hostssl all all all scram-sha-256 clientcert=verify-full\n");
  await pool.query("select pg_reload_conf()");
  await until(
    async () => {
      await using plain = createPool({ url: server.url, size: 1, log: testLog, applicationName: "test" });
      return plain.query("select 1").then(
        () => false,
        () => true,
      );
    },
    { timeoutMs: 30_000, message: "PostgreSQL with TLS" },
  );
  return {
    url: server.url,
    reload: () => void process.kill(server.pid, "SIGHUP"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A new folder for certificates below the run's. */
export function tlsFolder(name: string): string {
  const folder = join(privateFolder("tls"), name);
  mkdirSync(folder);
  return folder;
}
