// Before the tests on a real cluster: what they need is fetched, installed or built, as the output tells; where that cannot be, one line
// says why, and the exit code is 1.
import { findClusterBinaries } from "./binaries.ts";
import { prepareMachine } from "./machine.ts";
import { sweep } from "./sweep.ts";

const progress = (line: string): void => void process.stdout.write(`${line}\n`);
try {
  await prepareMachine(progress);
  await findClusterBinaries(progress);
  await sweep();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
