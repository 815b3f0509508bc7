// Which API server, and as whom. @kubernetes/client-node finds that out too, for 80 MiB of memory and a second at the start (measured).
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { type Authorization, tokenFile } from "./credentials.ts";
import { readKubeconfigs } from "./kubeconfig.ts";

export type Cluster = {
  /** Without a slash at its end. */
  url: string;
  tls: { ca?: string; cert?: string; key?: string; servername?: string; rejectUnauthorized?: boolean };
  authorization: Authorization;
  /** What the kubeconfig's context names, or the pod's own. */
  namespace: string;
};

type Where = {
  /** A path, before all else. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** Of the process: KUBECONFIG, KUBERNETES_SERVICE_HOST, and what exec plugins get. */
  env: Record<string, string | undefined>;
};

const podFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** In this order: the given file, KUBECONFIG, the pod we are in, ~/.kube/config. Throws with what is wrong and where. */
export function loadCluster({ kubeconfig, context, env }: Where): Cluster {
  if (kubeconfig !== undefined) return readKubeconfigs([kubeconfig], context, env);
  const paths = (env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  if (paths.length > 0) return readKubeconfigs(paths, context, env);
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  if (host !== undefined && port !== undefined) return clusterOfPod(host, port);
  return readKubeconfigs([join(homedir(), ".kube", "config")], context, env);
}

function clusterOfPod(host: string, port: string): Cluster {
  return {
    url: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    tls: { ca: readFileSync(join(podFolder, "ca.crt"), "utf8") },
    authorization: tokenFile(join(podFolder, "token")),
    namespace: readFileSync(join(podFolder, "namespace"), "utf8").trim(),
  };
}
