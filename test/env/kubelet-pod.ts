// What the kubelet of tests reads of a pod, and what it makes of it for a process of this machine: files, ports, environment.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { findFreePort } from "#local/server-process.ts";

const envVar = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }).optional() }).optional(),
});

export const podSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.object({
    nodeName: z.string().optional(),
    terminationGracePeriodSeconds: z.number(),
    affinity: z.unknown().optional(),
    nodeSelector: z.record(z.string(), z.string()).optional(),
    containers: z
      .array(
        z.object({
          name: z.string(),
          args: z.array(z.string()),
          env: z.array(envVar),
          ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
          volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
        }),
      )
      .length(1),
    volumes: z.array(z.object({ name: z.string(), secret: z.object({ secretName: z.string() }).optional() })),
  }),
});
export type Pod = z.infer<typeof podSchema>;

/** Of every pod. */
export const podIp = "127.0.0.1";

const secretSchema = z.object({ data: z.record(z.string(), z.string()) });

/** The Secrets that the pod's container mounts, and where. */
export function mountsOf({ spec }: Pod): { secretName: string; mountPath: string }[] {
  return spec.volumes.flatMap(({ name, secret }) => {
    const mount = spec.containers[0]?.volumeMounts.find((candidate) => candidate.name === name);
    return secret === undefined || mount === undefined ? [] : [{ ...secret, mountPath: mount.mountPath }];
  });
}

/** Paths on this machine by paths in the container; undefined: that is no Secret. */
export function writeSecret(secret: unknown, mountPath: string, folder: string): Map<string, string> | undefined {
  const parsed = secretSchema.safeParse(secret);
  if (!parsed.success) return undefined;
  const files = new Map<string, string>();
  for (const [key, value] of Object.entries(parsed.data.data)) {
    const path = join(folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.from(value, "base64"));
    files.set(`${mountPath}/${key}`, path);
  }
  return files;
}

/** Pods of a machine without network namespaces share its ports: each gets free ones for those that it names. */
export async function portsOf({ spec }: Pod): Promise<Map<string, string>> {
  const ports = new Map<string, string>();
  for (const { containerPort } of spec.containers[0]?.ports ?? [])
    ports.set(String(containerPort), String(await findFreePort(podIp)));
  return ports;
}

export function environmentOf(
  { metadata, spec }: Pod,
  files: ReadonlyMap<string, string>,
  ports: ReadonlyMap<string, string>,
): Record<string, string> {
  const fields: Record<string, string> = { "metadata.uid": metadata.uid, "status.podIP": podIp };
  const env: Record<string, string> = {};
  for (const { name, value = "", valueFrom } of spec.containers[0]?.env ?? []) {
    const text = valueFrom === undefined ? value : (fields[valueFrom.fieldRef?.fieldPath ?? ""] ?? "");
    const expanded = text.replaceAll(/\$\((\w+)\)/g, (_, variable: string) => env[variable] ?? "");
    const mapped = ports.get(expanded) ?? expanded;
    env[name] = files.get(mapped) ?? mapped;
  }
  return env;
}
