// Writes services/<service>/schema.sql: what its migrations make of an empty database, for reading and for review.
// `--check` compares instead. Needs no server: PostgreSQL in WebAssembly applies and dumps.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { pgDump } from "@electric-sql/pglite-tools/pg_dump";
import { readMigrations } from "#lib/migrate.ts";

const services = new URL("../services/", import.meta.url);

/** Services with migrations, in order of name. */
function withMigrations(): string[] {
  return readdirSync(services).filter((name) => hasMigrations(new URL(`${name}/migrations/`, services)));
}

function hasMigrations(directory: URL): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.endsWith(".sql"));
}

async function applyAll(pg: PGlite, service: string): Promise<void> {
  await pg.exec(`create schema ${service}`);
  for (const { name, sql } of await readMigrations(new URL(`${service}/migrations/`, services))) {
    try {
      await pg.exec(sql);
    } catch (error) {
      throw new Error(`migration ${service}/${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function dump(pg: PGlite, service: string): Promise<string> {
  const file = await pgDump({ pg, args: ["--schema-only", "--no-owner", `--schema=${service}`] });
  return `-- Made by \`npm run generate\` from migrations/. Do not edit.\n\n${tidy(await file.text())}`;
}

/** Without what changes from dump to dump (versions, tokens) and what says nothing (settings, headings). */
function tidy(dumped: string): string {
  const lines = dumped
    .split("\n")
    .filter((line) => !/^(--.*|SET .*;|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)$/.test(line))
    .join("\n");
  return `${lines.replaceAll(/\n{3,}/g, "\n\n").trim()}\n`;
}

const isCheck = process.argv.includes("--check");
// One database for all, because starting it takes longer than the rest; every dump after every migration, because a dump
// changes the session's settings.
await using pg = new PGlite();
for (const service of withMigrations()) await applyAll(pg, service);
const stale: string[] = [];
for (const service of withMigrations()) {
  const target = new URL(`${service}/schema.sql`, services);
  const fresh = await dump(pg, service);
  if (existsSync(target) && readFileSync(target, "utf8") === fresh) continue;
  if (isCheck) stale.push(service);
  else writeFileSync(target, fresh);
}
if (stale.length > 0) {
  process.stderr.write(`schema.sql is not what the migrations make, in: ${stale.join(", ")}. Run: npm run generate\n`);
  process.exitCode = 1;
}
