// The programs of the cluster, as children of the stage: each with a log of its name, its pid known to the tests outside.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ServerProcess, spawnServer } from "#local/server-process.ts";

export type Servers = {
  /** `flags` become `--name=value`. */
  start(name: string, command: readonly string[], flags?: Record<string, string>): Promise<ServerProcess>;
  /** The last words of those that have ended. */
  complaints(): string[];
};

/** Logs go to `<folder>/log/<name>.log`, pids of this namespace to `<folder>/pids.json`. */
export function createServers(folder: string): Servers {
  const running = new Map<string, ServerProcess>();
  return {
    async start(name, [command = "", ...args], flags = {}) {
      const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
      const server = await spawnServer({
        command,
        args: [...args, ...words],
        logFile: join(folder, "log", `${name}.log`),
      });
      running.set(name, server);
      const pids = Object.fromEntries([...running].map(([each, { pid }]) => [each, pid]));
      writeFileSync(join(folder, "pids.json"), JSON.stringify(pids));
      return server;
    },
    complaints: () =>
      [...running]
        .filter(([, server]) => server.hasExited())
        .map(([name, server]) => `${name} has ended: ${server.output().trim().split("\n").slice(-3).join(" | ")}`),
  };
}
