import { describeStartFailure } from "#lib/lifecycle.ts";
import { ManifestError } from "#local/manifests.ts";
import { apply } from "./apply.ts";

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort());
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
process.exitCode = await apply(process.env, tell, stopping.signal).catch((error: unknown) => {
  process.stderr.write(`${error instanceof ManifestError ? error.message : describeStartFailure(error)}\n`);
  return 1;
});
