// Rules of the house that no linter can say.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const rooms = ["services", "operator", "deploy", "test"];
const sharedFolders = new Set(["lib", "dialects", "admission"]);
const longestFile = 300;
const longestMain = 30;
const longestAgents = 60;

type Source = { path: string; text: string };

/** Our TypeScript by path from the root; generated code is not ours. */
const sources: Source[] = rooms
  .filter((room) => existsSync(join(root, room)))
  .flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.m?ts$/.test(name) && !/(^|\/)(gen|generated|node_modules)\//.test(name))
      .map((name) => join(room, name)),
  )
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const services = readdirSync(join(root, "services"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !sharedFolders.has(entry.name))
  .map(({ name }) => name);

const isTest = ({ path }: Source): boolean =>
  /(\.test|\/test-[a-z-]+)\.ts$/.test(path) || path.startsWith(`test${sep}`);
const lineCount = (text: string): number => text.trimEnd().split("\n").length;

function offenders(rule: (source: Source) => boolean | string | undefined): string[] {
  return sources.flatMap((source) => {
    const found = rule(source);
    if (found === undefined || found === false) return [];
    return [found === true ? source.path : `${source.path}: ${found}`];
  });
}

/** Every module a source imports, types included. */
function importsOf({ text }: Source): string[] {
  return [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"([^"]+)"/gm)].map(([, target = ""]) => target);
}

test("no file is an index or a drawer for odds and ends", () => {
  const drawer = /(^|\/)(index|utils?|helpers?|common|misc|shared|types|constants)\.ts$/;
  assert.deepEqual(
    offenders(({ path }) => drawer.test(path)),
    [],
  );
});

test(`no file is longer than ${longestFile} lines, tests aside, and no main longer than ${longestMain}`, () => {
  assert.deepEqual(
    offenders((source) => {
      const most = /^(services\/[^/]+|operator)\/main\.ts$/.test(source.path) ? longestMain : longestFile;
      return !isTest(source) && lineCount(source.text) > most ? `${lineCount(source.text)} lines` : undefined;
    }),
    [],
  );
});

test("nothing is exported by default", () => {
  assert.deepEqual(
    offenders(({ text }) => /^export default\b/m.test(text)),
    [],
  );
});

test("a service imports nothing of another service, of the operator or of the local runner, but the cli knows resources", () => {
  assert.deepEqual(
    offenders((source) => {
      const [room, service] = source.path.split(sep);
      if (room !== "services" || service === undefined) return undefined;
      const home = join(root, "services", service);
      return importsOf(source).find((target) => {
        if (target.startsWith("#operator/") || target.startsWith("#local/")) return service !== "cli";
        if (!target.startsWith(".")) return false;
        return relative(home, resolve(root, dirname(source.path), target)).startsWith("..");
      });
    }),
    [],
  );
});

test("lib and dialects know no service, and only tests import #test", () => {
  assert.deepEqual(
    offenders((source) => {
      const isLib = source.path.startsWith(join("services", "lib"));
      return importsOf(source).find(
        (target) =>
          (target.startsWith("#test/") && !isTest(source)) ||
          (isLib && !isTest(source) && target.startsWith("#dialects/")),
      );
    }),
    [],
  );
});

test("a rule is told the time: no new Date() in domain", () => {
  assert.deepEqual(
    offenders(
      (source) => source.path.includes(`${sep}domain${sep}`) && !isTest(source) && source.text.includes("new Date()"),
    ),
    [],
  );
});

test("every service has the files a reader looks for", () => {
  const missing = services.flatMap((service) => {
    const always = ["main.ts", "config.ts", "start.ts", "service.test.ts"];
    const withTables = existsSync(join(root, "services", service, "migrations")) ? ["store.ts", "schema.sql"] : [];
    return [...always, ...withTables]
      .map((file) => join("services", service, file))
      .filter((path) => !existsSync(join(root, path)) && !isFolderOf(path));
  });
  assert.deepEqual(missing, []);
});

/** store.ts may have become store/ when it grew. */
function isFolderOf(path: string): boolean {
  return path.endsWith("store.ts") && existsSync(join(root, path.replace(/\.ts$/, "")));
}

test("AGENTS.md stays a page", () => {
  const path = join(root, "AGENTS.md");
  if (existsSync(path)) assert.ok(lineCount(readFileSync(path, "utf8")) <= longestAgents);
});
