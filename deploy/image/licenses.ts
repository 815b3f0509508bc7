// The licences of the packages that went into a bundle, as a text that travels with it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const packageSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

const licenseFile = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** `inputs` are paths from `root` of the files that were bundled. Throws if a package names no licence. */
export function licenseTexts(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined));
  const texts = [...folders].map((folder) => {
    const { name, version, license } = packageSchema.parse(
      JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")),
    );
    const files = readdirSync(join(root, folder)).filter((file) => licenseFile.test(file));
    const words = files.map((file) => readFileSync(join(root, folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...words].join("\n\n");
  });
  const rule = `\n\n${"-".repeat(80)}\n\n`;
  return `${[...new Set(texts)].sort().join(rule)}\n`;
}

/** The innermost package that a file belongs to. */
function packageFolder(input: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}
