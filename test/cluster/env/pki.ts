// The keys of a cluster: one authority, the API server's certificate, its certificate as a client of kubelets, and bearer tokens for
// everybody else.
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kubeconfigFor } from "../../env/kube.ts";
import { run } from "./command.ts";
import { apiServiceAddress, type NodePlace, outerAddress } from "./network.ts";

export const adminToken = "cluster-admin";
const days = "30";
const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export type Pki = {
  /** A file in the folder of keys, such as `ca.crt`. */
  path(file: string): string;
  ca: string;
  /** Writes the kubeconfig of a token's bearer, who reaches the API server at `host`, and returns its path. */
  writeKubeconfig(name: string, token: string, host: string): string;
};

export async function makePki(folder: string, places: readonly NodePlace[]): Promise<Pki> {
  const path = (file: string): string => join(folder, "pki", file);
  mkdirSync(path(""), { recursive: true });
  const caFiles = ["-keyout", path("ca.key"), "-out", path("ca.crt")];
  await run("openssl", "req", "-x509", ...ec, "-days", days, "-subj", "/CN=heliograph-test", ...caFiles);
  const names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
  const addresses = ["127.0.0.1", apiServiceAddress, outerAddress];
  const hosts = [...[...names, "localhost"].map((name) => `DNS:${name}`), ...addresses.map((ip) => `IP:${ip}`)];
  await sign(path, "api", "/CN=kube-apiserver", `subjectAltName=${hosts.join(",")}`);
  await sign(path, "kubelet-client", "/O=system:masters/CN=apiserver-kubelet-client", "extendedKeyUsage=clientAuth");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(path("sa.key"), privateKey.export({ type: "sec1", format: "pem" }));
  const nodeTokens = places.map(({ name }) => `${tokenOf(name)},system:node:${name},${name},system:nodes`);
  writeFileSync(path("tokens.csv"), [`${adminToken},admin,admin,system:masters`, ...nodeTokens, ""].join("\n"));
  const ca = readFileSync(path("ca.crt"), "utf8");
  return {
    path,
    ca,
    writeKubeconfig(name, token, host) {
      const file = path(`${name}.kubeconfig`);
      writeFileSync(file, kubeconfigFor({ url: `https://${host}:6443`, ca }, token));
      return file;
    },
  };
}

export function tokenOf(node: string): string {
  return `${node}-token`;
}

async function sign(path: Pki["path"], name: string, subject: string, extension: string): Promise<void> {
  const [key, request, extensions] = [path(`${name}.key`), path(`${name}.csr`), path(`${name}.ext`)];
  await run("openssl", "req", ...ec, "-subj", subject, "-keyout", key, "-out", request);
  writeFileSync(extensions, extension);
  const authority = ["-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial"];
  const files = ["-in", request, "-out", path(`${name}.crt`), "-extfile", extensions];
  await run("openssl", "x509", "-req", "-days", days, ...authority, ...files);
}
