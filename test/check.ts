// `npm run check`: everything that can be known without running the product. Each step runs, and those that failed are named.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Outcome = { ok: boolean; note: string };
type Step = { name: string; run: () => Outcome };

const template = "proto/buf.gen.yaml";

const steps: readonly Step[] = [
  { name: "typecheck", run: () => command("tsc") },
  { name: "lint", run: () => command("oxlint") },
  { name: "format", run: () => command("oxfmt", "--check") },
  { name: "unused code", run: () => command("knip") },
  { name: "proto lint", run: () => command("buf", "lint", "proto") },
  { name: "proto breaking", run: checkBreaking },
  { name: "generated code", run: checkGenerated },
  { name: "schema dumps", run: () => command("node", "test/schemas.ts", "--check") },
];

function command(program: string, ...args: string[]): Outcome {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  return { ok: status === 0, note: error === undefined ? `${stdout}${stderr}` : error.message };
}

/** Against the last release. Before the first one, and in a clone without tags, there is nothing to compare with. */
function checkBreaking(): Outcome {
  const tag = spawnSync("git", ["describe", "--tags", "--abbrev=0", "--match=v*"], { encoding: "utf8" }).stdout.trim();
  if (tag === "") return { ok: true, note: "no release tag here: nothing to compare with" };
  return command("buf", "breaking", "proto", "--against", `.git#tag=${tag},subdir=proto`);
}

/** Generates beside and compares, so that a check never changes the tree. */
function checkGenerated(): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-generated-"));
  try {
    const generated = command("buf", "generate", "proto", "--template", template, "-o", folder);
    if (!generated.ok) return generated;
    const fresh = contentsOf(join(folder, "proto", "gen"));
    const committed = contentsOf(join("proto", "gen"));
    const names = new Set([...fresh.keys(), ...committed.keys()]);
    const different = [...names].filter((name) => fresh.get(name) !== committed.get(name));
    const ok = different.length === 0;
    return { ok, note: ok ? "" : `not what the protos make: ${different.join(", ")}. Run: npm run generate` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function contentsOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

const failed: string[] = [];
for (const { name, run } of steps) {
  const startedAt = performance.now();
  const { ok, note } = run();
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(`${ok ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (!ok || note.startsWith("no release")) process.stdout.write(`${note.trim()}\n`);
  if (!ok) failed.push(name);
}
process.stdout.write(failed.length === 0 ? "check: all steps passed\n" : `check: failed at ${failed.join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
