// What the tests of `npm start` share: the real program, and a look at what it left behind.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Gone after the test. */
export function temporaryFolder(t: { after: (end: () => void) => void }): string {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-runner-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  return folder;
}

export type Runner = {
  kill(signal: NodeJS.Signals): void;
  /** Resolves to its exit code, or to the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  errors(): string;
};

/** `npm start -- ...args`, without npm. Killed at the end of the test, if it still runs. */
export function spawnRunner(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Runner {
  const child = spawn(process.execPath, ["deploy/local/main.ts", ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString("utf8")));
  t.after(() => child.kill("SIGKILL"));
  return {
    kill: (signal) => void child.kill(signal),
    ended: once(child, "close").then(() => child.exitCode ?? child.signalCode ?? "SIGKILL"),
    errors: () => errors,
  };
}

/** The command line of each process that has the folder in its arguments, its environment or as its place. */
export function processesOf(folder: string): string[] {
  if (process.platform !== "linux") {
    const lines = execFileSync("ps", ["axeww", "-o", "command="], { encoding: "utf8" }).split("\n");
    return lines.filter((line) => line.includes(folder));
  }
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [command, environment] = ["cmdline", "environ"].map((file) =>
          readFileSync(`/proc/${pid}/${file}`, "utf8"),
        );
        const place = readlinkSync(`/proc/${pid}/cwd`);
        return `${command} ${environment} ${place}`.includes(folder)
          ? [`${pid} ${command?.replaceAll("\0", " ")}`]
          : [];
      } catch {
        return [];
      }
    });
}
