// The operator's process. `--help` tells how it is started.
import { run } from "#lib/lifecycle.ts";
import { help, readConfig } from "./config.ts";
import { loadCluster } from "./runtime/cluster.ts";
import { startOperator } from "./start.ts";

// Workers have 10 s to end, then the Lease is given back.
const shutdownMs = 15_000;

if (process.argv.includes("--help") || process.argv.includes("-h")) {
  process.stdout.write(help);
} else {
  await run(
    async () => {
      const config = readConfig(process.env, process.argv.slice(2));
      const { kubeconfig, context } = config;
      return startOperator({ config, cluster: loadCluster({ kubeconfig, context, env: process.env }) });
    },
    { shutdownMs },
  );
}
