// `npm run cluster`: a cluster to look around in, until Ctrl-C.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "#lib/lifecycle.ts";
import { startCluster } from "./cluster.ts";

const shutdownMs = 60_000;

await run(
  async () => {
    const cluster = await startCluster();
    const kubeconfig = join(cluster.folder, "kubeconfig");
    writeFileSync(kubeconfig, cluster.kubeconfig);
    process.stdout.write(`export KUBECONFIG=${kubeconfig}\n`);
    return cluster;
  },
  { shutdownMs },
);
