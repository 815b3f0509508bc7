// The pod of one epoch of a number. It is bare: no controller of Kubernetes may make a second one or take it away.
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { apiVersionOf, isRecord, type Wish } from "../runtime/objects.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import { type Stored, whatsAppNumbers } from "../kinds.ts";
import { annotations, connectionComponent, labels, managedBy } from "../names.ts";
import type { ClassSpec } from "./class.ts";
import { layOver } from "./merge.ts";
import { podTlsOf, type TlsSecrets } from "./pod-tls.ts";

/** What all connection pods of an operator have in common. */
export type PodSettings = {
  image: string;
  version: string;
  serviceAccountName: string | undefined;
  /** Of the Graph API, where an account names none. */
  upstreamUrl: string | undefined;
  /** Reached from the pods. */
  addresses: Record<
    "MESSAGES_ADDRESS" | "TEMPLATES_ADDRESS" | "BILLING_ADDRESS" | "QUALITY_ADDRESS" | "NATS_URL",
    string
  >;
  tlsSecrets?: TlsSecrets;
};

export type PodInput = {
  number: Stored<WhatsAppNumber>;
  classSpec: ClassSpec;
  settings: PodSettings;
  tokenSecret: string;
  upstreamUrl: string | undefined;
};

export const grpcPort = 9_090;
export const httpPort = 8_080;
export const accessTokenKey = "accessToken";
const container = "connection";
const secretsPath = "/run/secrets/heliograph";
const userId = 65_532;

export function podNameOf(numberName: string, epoch: number): string {
  return `${numberName}-c${epoch}`;
}

/** Of everything that makes a pod need replacing; the epoch and the nodes to avoid are not part of it. */
export function specHashOf(input: PodInput): string {
  return hashOf(templateOf(input));
}

/** `specHash` is that of the same input. */
export function podOf(input: PodInput, specHash: string, epoch: number, avoidNodes: readonly string[]): Wish {
  const { metadata, spec } = templateOf(input);
  const { name, namespace, uid } = input.number.metadata;
  const owner = {
    apiVersion: apiVersionOf(whatsAppNumbers),
    kind: whatsAppNumbers.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: podNameOf(name, epoch),
      ...(namespace !== undefined && { namespace }),
      labels: { ...metadata.labels, [labels.epoch]: String(epoch) },
      annotations: { ...metadata.annotations, [annotations.specHash]: specHash },
      ownerReferences: [owner],
    },
    spec: awayFrom(
      layOver(spec, { containers: [{ name: container, env: [value("EPOCH", String(epoch))] }] }),
      avoidNodes,
    ),
  };
}

type Template = {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> };
  spec: Record<string, unknown>;
};

function templateOf(input: PodInput): Template {
  const { number, classSpec, settings } = input;
  const { metadata, spec: override = {} } = classSpec.podTemplate ?? {};
  const isBlocking = number.spec.disruption.policy === "Block";
  const own = {
    "app.kubernetes.io/name": "heliograph",
    [labels.component]: connectionComponent,
    [labels.instance]: number.metadata.name,
    "app.kubernetes.io/part-of": "heliograph",
    [labels.managedBy]: managedBy,
    "app.kubernetes.io/version": settings.version,
    [labels.numberUid]: number.metadata.uid,
    [labels.evictable]: "false",
  };
  return {
    metadata: {
      labels: { ...metadata?.labels, ...own },
      annotations: {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": String(!isBlocking),
        ...(isBlocking && { "karpenter.sh/do-not-disrupt": "true" }),
        ...metadata?.annotations,
      },
    },
    // What the operator relies on comes last.
    spec: layOver(layOver(specOf(input), override), fixedSpec(input)),
  };
}

function fixedSpec(input: PodInput): Record<string, unknown> {
  // The other way of giving a value is taken away: a variable may have one only.
  const only = (given: EnvVar): object =>
    "value" in given ? { ...given, valueFrom: null } : { ...given, value: null };
  return {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: input.classSpec.terminationGracePeriodSeconds,
    containers: [{ name: container, env: identity(input).map(only) }],
  };
}

function specOf({ classSpec, settings, tokenSecret, ...input }: PodInput): Record<string, unknown> {
  const { nodeSelector, imagePullSecrets, priorityClassName, runtimeClassName, topologySpreadConstraints } = classSpec;
  const { serviceAccountName } = settings;
  return {
    ...(nodeSelector !== undefined && { nodeSelector }),
    ...(imagePullSecrets !== undefined && { imagePullSecrets }),
    ...(priorityClassName !== undefined && { priorityClassName }),
    ...(runtimeClassName !== undefined && { runtimeClassName }),
    ...(serviceAccountName !== undefined && { serviceAccountName }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      seccompProfile: { type: "RuntimeDefault" },
    },
    tolerations: tolerationsOf(classSpec),
    topologySpreadConstraints: topologySpreadConstraints.map((constraint) => ({
      ...constraint,
      labelSelector: { matchLabels: { [labels.managedBy]: managedBy, [labels.component]: connectionComponent } },
    })),
    containers: [containerOf({ classSpec, settings, tokenSecret, ...input })],
    volumes: [
      { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
      {
        name: "credentials",
        secret: {
          secretName: tokenSecret,
          items: [{ key: accessTokenKey, path: accessTokenKey }],
          defaultMode: 0o440,
        },
      },
      ...podTlsOf(settings.tlsSecrets).volumes,
    ],
  };
}

/** We decide by the lease: the usual 300 s would only add deletions to a partition. */
function tolerationsOf({ tolerations = [], takeover }: ClassSpec): unknown[] {
  const stay = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map((key) => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: takeover.unreachableSeconds,
  }));
  return [...tolerations, ...stay];
}

function containerOf(input: PodInput): Record<string, unknown> {
  const { classSpec, settings } = input;
  const probe = (path: string): unknown => ({ path, port: "http" });
  return {
    name: container,
    image: classSpec.image ?? settings.image,
    imagePullPolicy: classSpec.imagePullPolicy,
    args: [container],
    env: [...environment(input), ...identity(input)],
    ports: [
      { name: "grpc", containerPort: grpcPort },
      { name: "http", containerPort: httpPort },
    ],
    resources: classSpec.resources,
    // A standby is started: it waits for the lease.
    startupProbe: { httpGet: probe("/healthz"), periodSeconds: 2, failureThreshold: 60 },
    livenessProbe: { httpGet: probe("/healthz"), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { httpGet: probe("/readyz"), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      { name: "tmp", mountPath: "/tmp" },
      { name: "credentials", mountPath: secretsPath, readOnly: true },
      ...podTlsOf(settings.tlsSecrets).volumeMounts,
    ],
  };
}

/** What a person may change by the class' podTemplate. */
function environment({ classSpec, settings, upstreamUrl = settings.upstreamUrl }: PodInput): EnvVar[] {
  const heapMiB = Math.floor((mebibytes(classSpec.resources.limits.memory) * classSpec.heapPercent) / 100);
  return [
    value("NODE_OPTIONS", `--max-old-space-size=${heapMiB}`),
    ...Object.entries(settings.addresses).map(([name, address]) => value(name, address)),
    ...(upstreamUrl === undefined ? [] : [value("UPSTREAM_URL", upstreamUrl)]),
    ...podTlsOf(settings.tlsSecrets).env,
  ];
}

/** What the lease stands on. */
function identity({ number }: PodInput): EnvVar[] {
  return [
    value("PHONE_NUMBER_ID", number.spec.phoneNumberId),
    { name: "HOLDER", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.uid" } } },
    // Of whatever family; the process listens on every address of the same one.
    { name: "ADVERTISED_HOST", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } } },
    value("LISTEN_HOST", ""),
    value("GRPC_PORT", String(grpcPort)),
    value("HTTP_PORT", String(httpPort)),
    value("ACCESS_TOKEN_FILE", `${secretsPath}/${accessTokenKey}`),
  ];
}

type EnvVar = { name: string; value: string } | { name: string; valueFrom: object };

function value(name: string, text: string): EnvVar {
  return { name, value: text };
}

/** Of a quantity in Mi or Gi, which is all that a class may have. */
function mebibytes(quantity: string): number {
  return Number.parseInt(quantity, 10) * (quantity.endsWith("Gi") ? 1_024 : 1);
}

/** Terms of a node selector are alternatives: each of them must keep off. A requirement of a field takes one value. */
function awayFrom(spec: Record<string, unknown>, avoidNodes: readonly string[]): Record<string, unknown> {
  if (avoidNodes.length === 0) return spec;
  const away = avoidNodes.map((node) => ({ key: "metadata.name", operator: "NotIn", values: [node] }));
  const affinity = recordIn(spec, "affinity");
  const nodeAffinity = recordIn(affinity, "nodeAffinity");
  const required = recordIn(nodeAffinity, "requiredDuringSchedulingIgnoredDuringExecution");
  const given = Array.isArray(required["nodeSelectorTerms"]) ? required["nodeSelectorTerms"].filter(isRecord) : [];
  const terms = (given.length === 0 ? [{}] : given).map((term: Record<string, unknown>) => ({
    ...term,
    matchFields: [...(Array.isArray(term["matchFields"]) ? term["matchFields"] : []), ...away],
  }));
  return {
    ...spec,
    affinity: {
      ...affinity,
      nodeAffinity: {
        ...nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { ...required, nodeSelectorTerms: terms },
      },
    },
  };
}

function recordIn(record: Record<string, unknown>, field: string): Record<string, unknown> {
  const found = record[field];
  return isRecord(found) ? found : {};
}
