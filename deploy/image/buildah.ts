// Builds the image with buildah, which needs no engine: as root, from a base that is a local folder or an image's name. Its store is a
// folder of the caller's, and its mounts are in a namespace of each command's own, so that nothing is left on the machine when
// that folder is removed, also after a kill.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { root } from "./sources.ts";

const execute = promisify(execFile);
const buildMs = 600_000;

export type Buildah = {
  (...args: string[]): Promise<string>;
  /** The words of a command that runs the shell script with `$buildah` set to buildah and the store's options. */
  script(text: string): string[];
};

/** Why images cannot be built here, in one line; undefined where they can. */
export function whyNoBuildah(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "building an image takes root on Linux";
  const isThere = (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, "buildah")));
  return isThere ? undefined : "building an image takes buildah: apt-get install buildah";
}

const namespace = ["unshare", "--mount", "--propagation", "private"];

/** With its store in that folder. Where the file system has no overlays, images are copied at each step. */
export async function openBuildah(store: string): Promise<Buildah> {
  const places = ["--root", join(store, "root"), "--runroot", join(store, "run")];
  const options = { timeout: buildMs, maxBuffer: 2 ** 26, env: { ...process.env, TMPDIR: store } };
  const run = async (words: readonly string[]): Promise<string> => {
    const [command = "", ...args] = [...namespace, "buildah", ...places, ...words];
    return (await execute(command, args, options)).stdout.trim();
  };
  const hasOverlays = await run(["--storage-driver", "overlay", "from", "scratch"]).then(
    () => true,
    () => false,
  );
  const driver = ["--storage-driver", hasOverlays ? "overlay" : "vfs"];
  const script = (text: string): string[] => {
    const buildah = ["buildah", ...places, ...driver].join(" ");
    return [...namespace, "sh", "-euc", `buildah='${buildah}'\n${text}`];
  };
  return Object.assign((...args: string[]) => run([...driver, ...args]), { script });
}

/** An image of a root file system, such as makeBase makes. */
export async function importBase(buildah: Buildah, folder: string, name: string): Promise<void> {
  const container = await buildah("from", "scratch");
  await buildah("copy", "--quiet", container, folder, "/");
  await buildah("commit", "--quiet", "--rm", container, name);
}

type BuildOptions = {
  /** With tag. */
  name: string;
  /** An image's name. */
  base: string;
  version: string;
  /** Layers get this time, in seconds since 1970, so that the same input makes the same image. */
  timestamp?: number;
};

const contextFiles = ["package.json", "package-lock.json", "deploy/image/stage.mjs", "deploy/image/remove-npm.mjs"];

/** What the Dockerfile takes of a repository when the bundle is made already; its `dist` is left to the caller. */
export async function makeContext(folder: string): Promise<void> {
  for (const name of contextFiles) await cp(join(root, name), join(folder, name));
}

/** Of a folder that makeContext made, with a bundle in its `dist`; or of the repository. Resolves to the image's id. */
export async function buildImage(
  buildah: Buildah,
  context: string,
  { name, base, version, timestamp = 0 }: BuildOptions,
): Promise<string> {
  const values = { BUILD: base, BASE: base, BUNDLE: "dist", VERSION: version };
  return buildah(
    "build",
    "--quiet",
    "--isolation=chroot",
    "--pull-never",
    `--timestamp=${timestamp}`,
    `--file=${join(root, "deploy/image/Dockerfile")}`,
    `--ignorefile=${join(root, "deploy/image/Dockerfile.dockerignore")}`,
    ...Object.entries(values).map(([key, value]) => `--build-arg=${key}=${value}`),
    `--tag=${name}`,
    context,
  );
}
