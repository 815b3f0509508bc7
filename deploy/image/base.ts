// A base for the image without a registry: this Node's own program, the libraries that it is linked to, and the few files that a
// process expects to find. What the tests build on.
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

const files: Record<string, string> = {
  "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
  "etc/group": "root:x:0:\nnonroot:x:65532:\n",
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

/** Linux only. `program` becomes /usr/local/bin/node. */
export async function makeBase(folder: string, program: string = process.execPath): Promise<void> {
  for (const name of ["dev", "proc", "run", "sys", "etc", "var"]) await mkdir(join(folder, name), { recursive: true });
  const temporary = join(folder, "tmp");
  await mkdir(temporary);
  await chmod(temporary, 0o1777);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await put(await realpath(program), join(folder, "usr/local/bin/node"));
  for (const library of await librariesOf(program)) await put(await realpath(library), join(folder, library));
}

async function put(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, target);
  await chmod(target, 0o755);
}

/** Absolute paths, the loader among them. */
export async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await execute("ldd", [program]);
  return Array.from(stdout.matchAll(/(?:^|\s)(\/\S+)(?=\s+\(0x)/gm), ([, path = ""]) => path);
}
