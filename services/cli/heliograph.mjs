#!/usr/bin/env node
// `npx heliograph`: with whatever Node (20 or newer) the machine has, runs main.ts with the Node that npm installed, which
// strips TypeScript; installs the packages first where there are none. Plain JavaScript: Node 20 strips no types.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const modules = join(root, "node_modules");

if (!existsSync(modules)) {
  // Its progress goes to stderr: stdout is the command's, which may be JSON.
  const { status } = spawnSync(process.execPath, [join(root, "deploy", "local", "bootstrap.mjs")], {
    stdio: ["ignore", 2, "inherit"],
  });
  if (status !== 0) process.exit(1);
}

const own = join(modules, ".bin", "node");
const main = join(root, "services", "cli", "main.ts");
const flags = ["--disable-warning=ExperimentalWarning", main];
const child = spawn(existsSync(own) ? own : process.execPath, [...flags, ...process.argv.slice(2)], {
  stdio: "inherit",
});
// The terminal gives Ctrl-C to the child as well, which decides what it means; the other signals come to us alone.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`Node cannot be started: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code) => process.exit(code ?? 1));
