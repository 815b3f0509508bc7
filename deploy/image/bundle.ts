// Makes the image's content of the sources: `app` is what becomes /app, with everything that its processes read; `maps` has the
// source maps, which stay out of the image, and `sbom.cdx.json` says what was taken from where.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { cyclonedxEsbuildPlugin } from "@cyclonedx/cyclonedx-esbuild";
import { build, type Metafile } from "esbuild";
import { licenseTexts } from "./licenses.ts";
import { hookWords, ownSources, root } from "./sources.ts";

export type Bundle = { app: string; maps: string; sbom: string };

/** Packages that others try to load and do without. */
const optional = new Set(["pg-native"]);

// Bundled CommonJS asks for Node's own modules by require.
const preamble = `import { createRequire as heliographRequire } from "node:module";
const require = heliographRequire(import.meta.url);`;

const sbomOptions = { specVersion: "1.6", outputReproducible: true, validate: false, logLevel: "silent" } as const;

/** Begins `folder` anew. Rejects if a test hook is left in what was built. */
export async function makeBundle(folder: string): Promise<Bundle> {
  const bundle = { app: join(folder, "app"), maps: join(folder, "maps"), sbom: join(folder, "sbom.cdx.json") };
  rmSync(folder, { recursive: true, force: true });
  const used = new Set<string>();
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { heliograph: "deploy/image/heliograph.ts" },
    outdir: bundle.app,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    chunkNames: "[name]-[hash]",
    // Names stay, so that a stack tells something without the maps.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    metafile: true,
    banner: { js: preamble },
    external: [...optional],
    plugins: [ownSources(used), cyclonedxEsbuildPlugin({ ...sbomOptions, outputFile: bundle.sbom })],
    logLevel: "error",
  });
  checkExternals(metafile);
  checkHooks(bundle.app);
  moveMaps(bundle);
  for (const asset of used) copyAsset(asset, bundle.app);
  writeAbout(bundle, metafile);
  return bundle;
}

function checkExternals({ outputs }: Metafile): void {
  const asked = Object.values(outputs).flatMap(({ imports }) => imports.filter(({ external }) => external));
  const missing = asked.map(({ path }) => path).filter((path) => !isBuiltin(path) && !optional.has(path));
  if (missing.length > 0) throw new Error(`not in the bundle: ${[...new Set(missing)].join(", ")}`);
}

function checkHooks(app: string): void {
  for (const name of readdirSync(app).filter((file) => file.endsWith(".js"))) {
    const text = readFileSync(join(app, name), "utf8");
    const left = hookWords.filter((word) => text.includes(word));
    if (left.length > 0) throw new Error(`${name} still has what is for tests only: ${left.join(", ")}`);
  }
}

function moveMaps({ app, maps }: Bundle): void {
  mkdirSync(maps, { recursive: true });
  for (const name of readdirSync(app).filter((file) => file.endsWith(".map")))
    renameSync(join(app, name), join(maps, name));
}

function copyAsset(asset: string, app: string): void {
  mkdirSync(dirname(join(app, asset)), { recursive: true });
  cpSync(join(root, asset), join(app, asset), { recursive: true });
}

/** What is not code: how Node is to read it, and whose it is. */
function writeAbout({ app, sbom }: Bundle, metafile: Metafile): void {
  const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(app, "package.json"), `${JSON.stringify({ name, version, license, type: "module" })}\n`);
  cpSync(join(root, "LICENSE"), join(app, "LICENSE"));
  cpSync(sbom, join(app, "sbom.cdx.json"));
  writeFileSync(join(app, "THIRD-PARTY-LICENSES"), licenseTexts(root, Object.keys(metafile.inputs)));
}
