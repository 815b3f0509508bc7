// chaos and bench: programs of the clone, run with the rest of the command line. The image does not have them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";

const testFolder = new URL("../../../test/", import.meta.url);

/** The program's own exit code. */
export async function runScript(
  script: "chaos" | "bench",
  args: readonly string[],
  { signal, err }: Pick<Context, "signal" | "err">,
): Promise<number> {
  const path = fileURLToPath(new URL(`${script}/main.ts`, testFolder));
  if (!existsSync(path)) {
    err(`heliograph: ${script} is not here: it runs in a clone of the repository that has test/${script}/main.ts`);
    return exitCodes.failed;
  }
  const child = spawn(process.execPath, [...process.execArgv, path, ...args], { stdio: "inherit" });
  // The terminal gives Ctrl-C to the program itself.
  signal.addEventListener("abort", () => signal.reason !== "SIGINT" && child.kill("SIGTERM"), { once: true });
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("exit", (code) => resolve(code ?? exitCodes.failed));
  });
}
