// A real Prometheus that scrapes what it is told to: from PATH, from the cache, else unpacked from Debian's package.
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { findFreePort, removeFolder, spawnServer } from "#local/server-process.ts";
import { until } from "../until.ts";
import { privateFolder } from "./folder.ts";
import { findPrograms, type ProgramSet } from "./kube-binaries.ts";

export type Target = { address: string; labels: Record<string, string> };

export type Sample = { labels: Record<string, string>; value: number };

export type Prometheus = AsyncDisposable & {
  /** The instant answer; empty if no series fits. Throws with Prometheus' words if the query is wrong. */
  query(expression: string): Promise<Sample[]>;
};

const execute = promisify(execFile);
const host = "127.0.0.1";
const scrapeEverySeconds = 1;
const downloadMs = 300_000;

const programs: ProgramSet<"prometheus"> = {
  programs: { prometheus: ({ major, minor }) => major > 2 || (major === 2 && minor >= 42) },
  name: "prometheus-debian",
  sources: [{ doing: "downloading Prometheus (Debian's package, 19 MB)", make: unpackPackage }],
  advice: "Prometheus 2.42 or newer is needed: put it on PATH; on Debian and its like it is fetched for you.",
};

/** Nothing is installed, so that no root is needed and no service starts. */
async function unpackPackage(folder: string): Promise<void> {
  const cwd = await mkdtemp(join(tmpdir(), "heliograph-prometheus-"));
  try {
    await execute("apt-get", ["download", "prometheus"], { cwd, timeout: downloadMs });
    const name = (await readdir(cwd)).find((file) => file.endsWith(".deb"));
    if (name === undefined) throw new Error("apt-get downloaded no package");
    await execute("dpkg-deb", ["-x", name, "unpacked"], { cwd });
    await copyFile(join(cwd, "unpacked", "usr", "bin", "prometheus"), join(folder, "prometheus"));
  } finally {
    removeFolder(cwd);
  }
}

const answerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("success"),
    data: z.object({
      resultType: z.literal("vector"),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
    }),
  }),
  z.object({ status: z.literal("error"), error: z.string() }),
]);

/** Ready, and all targets were scraped once. */
export async function startPrometheus(targets: readonly Target[]): Promise<Prometheus> {
  const command = (await findPrograms(programs, (line) => void process.stderr.write(`${line}\n`))).prometheus;
  const folder = privateFolder("prometheus");
  const configFile = join(folder, "prometheus.json");
  const scrapeConfig = {
    job_name: "heliograph",
    scrape_interval: `${scrapeEverySeconds}s`,
    scrape_timeout: `${scrapeEverySeconds}s`,
    static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })),
  };
  // JSON is YAML, too.
  await writeFile(configFile, JSON.stringify({ scrape_configs: [scrapeConfig] }));
  const address = `${host}:${await findFreePort(host)}`;
  const server = await spawnServer({
    command,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
    ],
    logFile: join(folder, "prometheus.log"),
  });
  server.unref();
  await writeFile(join(folder, "prometheus.pid"), String(server.pid));
  const prometheus: Prometheus = {
    async query(expression) {
      const response = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const answer = answerSchema.parse(await response.json());
      if (answer.status === "error") throw new Error(`${expression}: ${answer.error}`);
      return answer.data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
    },
    async [Symbol.asyncDispose]() {
      await server.stop(["SIGTERM", "SIGKILL"]);
      removeFolder(folder);
    },
  };
  try {
    await until(async () => (await prometheus.query("up == 1")).length === targets.length, {
      timeoutMs: 120_000,
      message: `Prometheus scrapes ${targets.length} processes`,
    });
  } catch (error) {
    await prometheus[Symbol.asyncDispose]();
    throw error;
  }
  return prometheus;
}
