// The OpenAPI description of a Kubernetes release, out of the module k8s.io/kubernetes.
import { existsSync } from "node:fs";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "#local/nats.ts";
import { inModule } from "./kube-sources.ts";
import { lockFile } from "./lock.ts";

/** Path of the swagger.json of a version such as 1.36.3: from the cache, else fetched into it with Go, about a minute. */
export async function findOpenApi(version: string, progress: (line: string) => void): Promise<string> {
  const cached = join(cacheFolder, `openapi-${version}.json`);
  if (existsSync(cached)) return cached;
  await mkdir(cacheFolder, { recursive: true });
  await using _lock = await lockFile(`${cached}.lock`);
  if (existsSync(cached)) return cached;
  progress(`fetching the OpenAPI description of Kubernetes ${version} with Go, once, about a minute`);
  await inModule("openapi", async (go) => {
    const download = await go("mod", "download", "-json", `k8s.io/kubernetes@v${version}`);
    const folder = /"Dir": "(.*)"/.exec(download)?.[1];
    if (folder === undefined) throw new Error(`go mod download tells no folder of k8s.io/kubernetes ${version}`);
    await copyFile(join(folder, "api", "openapi-spec", "swagger.json"), `${cached}.new`);
    await rename(`${cached}.new`, cached);
  });
  return cached;
}
