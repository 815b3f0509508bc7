// Reads kubeconfig files, as far as server, certificates, tokens and exec plugins go; what it does not know how to use, it refuses.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { Cluster } from "./cluster.ts";
import { type Authorization, bearer, execPlugin, noAuthorization, tokenFile } from "./credentials.ts";

type Env = Record<string, string | undefined>;

const clusterSchema = z.object({
  server: z.url(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.base64().optional(),
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": z.string().optional(),
  "proxy-url": z.never({ error: "is not supported" }).optional(),
});

const userSchema = z.object({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.base64().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.base64().optional(),
  exec: z
    .object({
      apiVersion: z.enum(["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]),
      command: z.string(),
      args: z.array(z.string()).nullish(),
      env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
    })
    .optional(),
  "auth-provider": z.never({ error: "is not supported, exec is" }).optional(),
  username: z.never({ error: "is not supported" }).optional(),
  as: z.never({ error: "is not supported" }).optional(),
});

const contextSchema = z.object({ cluster: z.string(), user: z.string(), namespace: z.string().optional() });

const named = <Field extends string>(field: Field) =>
  z
    .array(z.looseObject({ name: z.string() }).transform((entry) => ({ name: entry.name, body: entry[field] })))
    .nullish();

const kubeconfigSchema = z.object({
  "current-context": z.string().nullish(),
  contexts: named("context"),
  clusters: named("cluster"),
  users: named("user"),
});

type File = { path: string; folder: string; content: z.output<typeof kubeconfigSchema> };

/** The first file that names a thing wins, as with kubectl. Throws with what is wrong and where. */
export function readKubeconfigs(paths: readonly string[], context: string | undefined, env: Env): Cluster {
  const files = paths.map((path) => toFile(path, dirname(path), readFileSync(path, "utf8")));
  return choose(files, context, env);
}

/** Of one text; relative paths in it start at `folder`. */
export function parseKubeconfig(text: string, folder = ".", env: Env = {}): Cluster {
  return choose([toFile("kubeconfig", folder, text)], undefined, env);
}

function toFile(path: string, folder: string, text: string): File {
  return { path, folder, content: check(kubeconfigSchema, parse(text), path) };
}

function choose(files: readonly File[], wanted: string | undefined, env: Env): Cluster {
  const paths = files.map(({ path }) => path).join(" or ");
  const context = wanted ?? files.map(({ content }) => content["current-context"]).find(Boolean);
  if (!context) throw new Error(`no current-context in ${paths}`);
  const find = (list: "contexts" | "clusters" | "users", name: string): { body: unknown; folder: string } => {
    for (const { content, folder } of files) {
      const entry = content[list]?.find((each) => each.name === name);
      if (entry !== undefined) return { body: entry.body ?? {}, folder };
    }
    throw new Error(`no "${name}" among the ${list} of ${paths}`);
  };
  const names = check(contextSchema, find("contexts", context).body, `context "${context}"`);
  const cluster = find("clusters", names.cluster);
  const user = find("users", names.user);
  const server = check(clusterSchema, cluster.body, `cluster "${names.cluster}"`);
  const login = check(userSchema, user.body, `user "${names.user}"`);
  return {
    url: server.server.replace(/\/+$/, ""),
    tls: { ...tlsOfServer(server, cluster.folder), ...tlsOfUser(login, user.folder) },
    authorization: authorizationOf(login, user.folder, env),
    namespace: names.namespace ?? "default",
  };
}

function tlsOfServer(server: z.output<typeof clusterSchema>, folder: string): Cluster["tls"] {
  const ca = textOf(server["certificate-authority-data"], server["certificate-authority"], folder);
  const servername = server["tls-server-name"];
  return {
    ...(ca !== undefined && { ca }),
    ...(servername !== undefined && { servername }),
    ...(server["insecure-skip-tls-verify"] === true && { rejectUnauthorized: false }),
  };
}

function tlsOfUser(user: z.output<typeof userSchema>, folder: string): Cluster["tls"] {
  const cert = textOf(user["client-certificate-data"], user["client-certificate"], folder);
  const key = textOf(user["client-key-data"], user["client-key"], folder);
  return { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

function textOf(data: string | undefined, file: string | undefined, folder: string): string | undefined {
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  return file === undefined ? undefined : readFileSync(resolve(folder, file), "utf8");
}

function authorizationOf(user: z.output<typeof userSchema>, folder: string, env: Env): Authorization {
  if (user.tokenFile !== undefined) return tokenFile(resolve(folder, user.tokenFile));
  if (user.token !== undefined) return bearer(user.token);
  if (user.exec === undefined) return noAuthorization;
  const { apiVersion, command, args, env: own } = user.exec;
  return execPlugin({
    apiVersion,
    // A command with a slash is a path from the kubeconfig, as with kubectl.
    command: command.includes("/") ? resolve(folder, command) : command,
    args: args ?? [],
    env: { ...env, ...Object.fromEntries((own ?? []).map(({ name, value }) => [name, value])) },
  });
}

function check<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  throw new Error(`kubeconfig, ${where}: ${faults.join("; ")}`);
}
