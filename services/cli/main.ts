import { runCli } from "./start.ts";

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stopping.abort(name));
// `heliograph messages | head` closes our stdout before we are done with it.
process.stdout.on("error", () => process.exit(0));

process.exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  now: () => new Date(),
  signal: stopping.signal,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
});
