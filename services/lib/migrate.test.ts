import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { testLog } from "#test/env/log.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { migrate } from "./migrate.ts";

const database = await privateDatabase();
after(() => database[Symbol.asyncDispose]());
const { pool } = database;

const files = {
  "0001_create_things.sql": "create table demo.things (id integer primary key);",
  "0002_index_things.sql": "-- no transaction\ncreate index concurrently things_by_id on demo.things (id);",
};

function folderOf(contents: Record<string, string>): URL {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-migrate-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, sql] of Object.entries(contents)) writeFileSync(join(folder, name), sql);
  return pathToFileURL(`${folder}/`);
}

function run(contents: Record<string, string>): Promise<void> {
  return migrate({ pool, schema: "demo", directory: folderOf(contents), log: testLog });
}

beforeEach(async () => {
  await pool.query("drop schema if exists demo cascade");
});

test("several starters at once apply each file once, a concurrent index among them", async () => {
  await Promise.all([run(files), run(files), run(files)]);
  await run(files);
  const { rows } = await pool.query("select version, name from demo.migrations order by version");
  assert.deepEqual(rows, [
    { version: 1, name: "0001_create_things" },
    { version: 2, name: "0002_index_things" },
  ]);
});

test("a file that was changed after it was applied is refused by name", async () => {
  await run(files);
  await assert.rejects(
    run({ ...files, "0001_create_things.sql": "select 1;" }),
    /demo\/0001_create_things was changed/,
  );
});

test("an older release runs beside an unknown migration, unless that one is breaking", async () => {
  await run({ ...files, "0003_add_note.sql": "alter table demo.things add note text;" });
  await run(files);
  await run({
    ...files,
    "0003_add_note.sql": "alter table demo.things add note text;",
    "0004_drop_note.sql": "-- breaking\nalter table demo.things drop note;",
  });
  await assert.rejects(run(files), /breaking migration 0004_drop_note, which this release does not know/);
});

test("a failing file changes nothing, says its name, and works once mended", async () => {
  await assert.rejects(
    run({ "0001_create_things.sql": "create table demo.things (id integer); select nonsense;" }),
    /demo\/0001_create_things failed: .*nonsense/,
  );
  await run(files);
});

test("names out of line are refused", async () => {
  await assert.rejects(run({ "1_things.sql": "" }), /not named NNNN_verb_noun/);
  await assert.rejects(run({ "0001_create_a.sql": "", "0001_create_b.sql": "" }), /repeats version 1/);
});
