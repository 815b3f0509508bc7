// What esbuild must know of our sources beyond what they say: which files a module reads beside itself, and what the image is
// built without.
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Modules that read files by import.meta.url, and what they read, from the root; a folder is taken whole. */
const assets: Record<string, readonly string[]> = {
  "services/gateway/start.ts": ["services/gateway/migrations"],
  "services/messages/start.ts": ["services/messages/migrations"],
  "services/templates/start.ts": ["services/templates/migrations"],
  "services/billing/start.ts": ["services/billing/migrations"],
  "services/quality/start.ts": ["services/quality/migrations"],
  "services/webhooks/start.ts": ["services/webhooks/migrations"],
  "services/simulator/world.ts": ["services/simulator/default-world.json"],
  "operator/api/crds.ts": ["charts/heliograph/files/crds"],
  // Says so in a comment only.
  "services/lib/migrate.ts": [],
  // Look for the data folder and the test programs of a clone; the image has neither.
  "services/cli/places.ts": [],
  "services/cli/commands/script.ts": [],
  // Its question whether it is the program itself is answered with no.
  "deploy/local/receiver.ts": [],
};

/** Test hooks and what stands in for them. */
const standIns: Record<string, string> = {
  "services/lib/fault-points.ts": "deploy/image/without-faults.ts",
  "services/lib/clock.ts": "deploy/image/machine-clock.ts",
};

/** None of these may be found in what was built. */
export const hookWords = [
  "HELIOGRAPH_FAULT_POINT",
  "HELIOGRAPH_MUTATE",
  "HELIOGRAPH_CLOCK_OFFSET_FILE",
  "faultPoint",
  "isSwitchedOff",
  "broken on purpose",
  "follows a file",
];

// Loaded with their packages and never used by us, 4 MiB in each process: undici's mocks, caches and interceptors; zod's texts in forty
// languages.
const unused: readonly [file: RegExp, contents: string][] = [
  [/\/undici\/lib\/(mock|cache|interceptor)\/[\w-]+\.js$/, "module.exports = {};"],
  [/\/zod\/v4\/locales\/index\.js$/, 'export { default as en } from "./en.js";'],
];

const ownAddress = "import.meta.url";

/**
 * Every output file stands in one folder, the image's /app, and assets stand below it as they stand below the root: a module's own
 * address becomes the one that it has there.
 */
export function ownSources(used: Set<string>): Plugin {
  return {
    name: "heliograph",
    setup({ onLoad }) {
      // Packages that rolldown made (OpenTelemetry's) ask for others by a function that esbuild does not see through.
      onLoad({ filter: /\/node_modules\/.*\.mjs$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        return { contents: source.replaceAll(/\b__require\("/g, 'require("'), loader: "js" };
      });
      onLoad({ filter: /\.(ts|js)$/ }, async ({ path }) => {
        const [, contentsOfUnused] = unused.find(([file]) => file.test(path)) ?? [];
        if (contentsOfUnused !== undefined) return { contents: contentsOfUnused, resolveDir: dirname(path) };
        const name = relative(root, path);
        if (name.startsWith("node_modules/")) return undefined;
        const source = await readFile(join(root, standIns[name] ?? name), "utf8");
        if (source.includes(ownAddress) && assets[name] === undefined)
          return { errors: [{ text: `${name} reads files beside itself: deploy/image/sources.ts must name them` }] };
        for (const asset of assets[name] ?? []) used.add(asset);
        const contents = source
          .replaceAll(ownAddress, `new URL(${JSON.stringify(name)}, ${ownAddress}).href`)
          .replaceAll(/\bisSwitchedOff\("\w+"\)/g, "false");
        return { contents, loader: "ts", resolveDir: dirname(path) };
      });
    },
  };
}
