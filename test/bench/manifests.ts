// The sample manifests with other settings, in a folder of their own.
import { cp, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type NumberSettings = {
  /** Names of those to keep. */
  numbers: readonly string[];
  /** Fields of each number's spec. */
  spec: Readonly<Record<string, number>>;
};

const samples = new URL("../../deploy/samples", import.meta.url).pathname;

/** Returns the folder; whoever asked removes it. */
export async function writeManifests({ numbers, spec }: NumberSettings): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heliograph-bench-numbers-"));
  await cp(samples, folder, { recursive: true });
  const added = Object.entries(spec).map(([field, value]) => `${field}: ${value}`);
  for (const file of await readdir(folder)) {
    const documents = (await readFile(join(folder, file), "utf8")).split(/^---$/m);
    const kept = documents.filter((document) => {
      const name = /^kind: WhatsAppNumber\nmetadata:\n {2}name: (\S+)/m.exec(document)?.[1];
      return name === undefined || numbers.includes(name);
    });
    const text = kept.map((document) =>
      document.replaceAll(/^( *)phoneNumberId:/gm, (line, indent: string) =>
        [...added.map((field) => `${indent}${field}`), line].join("\n"),
      ),
    );
    await writeFile(join(folder, file), text.join("---"));
  }
  return folder;
}
