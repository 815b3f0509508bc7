// Runs a program to its end.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);
const outputBytes = 2 ** 26;

/** What it printed. Rejects with what it complained of. */
export async function run(program: string, ...args: readonly string[]): Promise<string> {
  return (await execute(program, args, { maxBuffer: outputBytes })).stdout;
}
