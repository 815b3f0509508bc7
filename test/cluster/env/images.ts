// Image archives without a registry: one layer of a folder, in the form that `docker save` writes and containerd and buildah read.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, realpath, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { arch } from "node:process";
import { pipeline } from "node:stream/promises";
import { removeFolder } from "#local/server-process.ts";
import { librariesOf } from "../../../deploy/image/base.ts";
import { run } from "./command.ts";

/** As a Dockerfile would say it. */
export type ImageConfig = {
  Entrypoint: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
};

type ImageOptions = {
  /** With registry and tag. */
  reference: string;
  /** What the image holds. */
  root: string;
  config: ImageConfig;
  /** Where it goes; its folder must exist. */
  archive: string;
};

/** Everything in it belongs to root. Appears whole or not at all. */
export async function writeImage({ reference, root, config, archive }: ImageOptions): Promise<void> {
  const folder = await mkdtemp(`${archive}.`);
  try {
    const layer = join(folder, "layer.tar");
    const owner = ["--numeric-owner", "--owner=0", "--group=0", "--mtime=@0", "--sort=name"];
    await run("tar", "-C", root, ...owner, "-cf", layer, ".");
    const description = JSON.stringify({
      architecture: arch === "x64" ? "amd64" : arch,
      os: "linux",
      created: new Date(0).toISOString(),
      config,
      rootfs: { type: "layers", diff_ids: [`sha256:${await digestOf(layer)}`] },
    });
    const name = `${createHash("sha256").update(description).digest("hex")}.json`;
    await writeFile(join(folder, name), description);
    const manifest = [{ Config: name, RepoTags: [reference], Layers: ["layer.tar"] }];
    await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
    const beside = join(folder, "image.tar");
    await run("tar", "-C", folder, "-cf", beside, "manifest.json", name, "layer.tar");
    await rename(beside, archive);
  } finally {
    removeFolder(folder);
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * Puts programs of this machine below `root`, at the given paths, with the libraries that they are linked to; but those that a program
 * finds beside itself are left to go with its folder.
 */
export async function putPrograms(root: string, programs: Record<string, string>): Promise<void> {
  for (const [target, program] of Object.entries(programs)) {
    await put(await realpath(program), join(root, target));
    const libraries = await librariesOf(program).catch(noneIfStatic);
    for (const library of libraries.filter((each) => !each.includes("/../")))
      await put(await realpath(library), join(root, library));
  }
}

function noneIfStatic(error: unknown): string[] {
  if (String(error).includes("not a dynamic executable")) return [];
  throw error;
}

async function put(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, target);
  await chmod(target, 0o755);
}
