// The image itself: built by the Dockerfile on a base of this machine's own Node, looked into, and started as a pod or Compose starts
// it: another user, a root that cannot be written. Where images cannot be built it says so and skips; test/cluster needs them built.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { z } from "zod";
import { privateFolder } from "#test/env/folder.ts";
import { freePortBase } from "#test/system.ts";
import { until } from "#test/until.ts";
import { makeBase } from "./base.ts";
import { type Buildah, buildImage, importBase, makeContext, openBuildah, whyNoBuildah } from "./buildah.ts";
import { entrypointOf, sharedBundle, spawnProcess } from "./test-bundle.ts";

const name = "ghcr.io/heliograph/heliograph:0.0.0-test";
const base = "localhost/heliograph-base:test";
// What official images of Node bring along.
const npm = [
  "usr/local/lib/node_modules/npm/bin/npm-cli.js",
  "usr/local/bin/npm",
  "usr/local/bin/npx",
  "usr/local/bin/corepack",
  "opt/yarn-v1.22.22/bin/yarn",
];
const user = "65532";
const skip = whyNoBuildah() ?? false;

// The container's file system as a runtime mounts it, in a namespace that goes with the process.
const readOnly = `
  container=$($buildah from --pull-never ${name})
  root=$($buildah mount "$container")
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc" || mount --bind /proc "$root/proc"
  mount -o remount,bind,ro "$root"`;

describe("the image", { skip }, () => {
  let buildah: Buildah;

  before(async () => {
    const folder = privateFolder("image");
    buildah = await openBuildah(join(folder, "store"));
    const root = join(folder, "base");
    await makeBase(root);
    for (const file of npm) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), "");
    }
    await importBase(buildah, root, base);
    const context = join(folder, "context");
    await makeContext(context);
    await cp(dirname((await sharedBundle()).app), join(context, "dist"), { recursive: true });
    await buildImage(buildah, context, { name, base, version: "0.0.0-test" });
  });

  /** Runs a script and gives what it printed. */
  async function output(script: string): Promise<string> {
    const [command = "", ...args] = buildah.script(script);
    await using process = spawnProcess(command, args, { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" });
    assert.deepEqual(await process.exit, { code: 0, signal: null }, process.output());
    return process.output();
  }

  test("says who runs it, how, and what it is", async () => {
    const inspected = JSON.parse(await buildah("inspect", "--type", "image", name));
    const config = z
      .object({
        User: z.string(),
        Entrypoint: z.array(z.string()),
        Cmd: z.array(z.string()),
        Env: z.array(z.string()),
        Labels: z.record(z.string(), z.string()),
      })
      .parse(inspected.OCIv1.config);
    assert.equal(config.User, `${user}:${user}`);
    const { args } = await entrypointOf("/app");
    assert.deepEqual(config.Entrypoint, ["node", ...args]);
    assert.deepEqual(config.Cmd, ["--help"]);
    assert.ok(config.Env.includes("HELIOGRAPH_VERSION=0.0.0-test"));
    assert.equal(config.Labels["org.opencontainers.image.version"], "0.0.0-test");
    assert.equal(config.Labels["dev.heliograph.sbom"], "/app/sbom.cdx.json");
  });

  test("has our files, and nothing that installs packages or that its user may change", async () => {
    const listed = await output(`${readOnly}
      cd "$root"
      find . -xdev -path ./proc -prune -o -printf '%y %U %m %s %P\\n'`);
    const files = listed
      .trim()
      .split("\n")
      .map((line) => {
        const [, kind = "", owner = "", mode = "", size = "", path = ""] =
          /^(.) (\d+) (\d+) (\d+) (.*)$/.exec(line) ?? [];
        return { kind, owner, mode: Number.parseInt(mode, 8), size: Number(size), path };
      });
    const paths = files.map(({ path }) => path);
    for (const expected of [
      "app/heliograph.js",
      "app/sbom.cdx.json",
      "app/services/messages/migrations",
      "usr/local/bin/node",
    ])
      assert.ok(paths.includes(expected), expected);
    assert.deepEqual(
      paths.filter((path) =>
        /(^|\/)(npm|npx|corepack|yarn[^/]*|remove-npm\.mjs|node_modules)($|\/)|\.(map|ts)$/.test(path),
      ),
      [],
    );
    const changeable = files.filter(
      ({ kind, owner, mode }) => kind !== "l" && (owner === user || (mode & 0o002) !== 0),
    );
    assert.deepEqual(
      changeable.map(({ path }) => path),
      ["tmp"],
    );
    const ours = files.filter(({ kind, path }) => kind === "f" && path.startsWith("app/"));
    const mebibytes = ours.reduce((sum, { size }) => sum + size, 0) / 2 ** 20;
    assert.ok(mebibytes < 10, `${mebibytes} MiB`);
  });

  test("runs as its user on a root that cannot be written, and ends in order when told to", async () => {
    const port = String(await freePortBase());
    const nobody = "127.0.0.1:1";
    const peers = {
      MESSAGES_ADDRESS: nobody,
      TEMPLATES_ADDRESS: nobody,
      BILLING_ADDRESS: nobody,
      QUALITY_ADDRESS: nobody,
    };
    const [command = "", ...args] = buildah.script(`${readOnly}
      if chroot --userspec=${user}:${user} "$root" /usr/local/bin/node -e 'fs.writeFileSync("/app/x", "")' 2>/dev/null; then exit 9; fi
      exec chroot --userspec=${user}:${user} "$root" "$@"`);
    const { args: flags } = await entrypointOf("/app");
    const words = ["sh", "/usr/local/bin/node", ...flags, "connection"];
    const env = {
      ...peers,
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      NATS_URL: `nats://${nobody}`,
      PHONE_NUMBER_ID: "1",
      ACCESS_TOKEN_FILE: "/app/LICENSE",
      HTTP_PORT: port,
      LOG_LEVEL: "silent",
    };
    await using process = spawnProcess(command, [...args, ...words], env);
    const alive = async (): Promise<boolean> =>
      process.ended() !== undefined || (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
    await until(alive, { timeoutMs: 120_000, message: "the image's process does not answer" });
    assert.equal(process.ended(), undefined, process.output());
    assert.deepEqual(await process.stop(), { code: 0, signal: null }, process.output());
  });
});
