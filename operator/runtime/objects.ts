// What every Kubernetes object has, where the API server serves it, and how objects are told apart.

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

export type Metadata = {
  name: string;
  namespace?: string;
  uid: string;
  /** Opaque, but for isAtLeast among objects of one kind. */
  resourceVersion: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
};

/** As the API server gives it, without managedFields. */
export type KubeObject = { apiVersion: string; kind: string; metadata: Metadata; [field: string]: unknown };

/** What we ask the API server to store: only the fields that we want to own. */
export type Wish = {
  apiVersion: string;
  kind: string;
  metadata: Partial<Metadata> & { name: string };
  [field: string]: unknown;
};

export type Resource = {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  isNamespaced: boolean;
};

/** `namespace/name`, or `name` where there are no namespaces. */
export type Key = string;

export function keyOf({ namespace, name }: { namespace?: string | undefined; name: string }): Key {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function splitKey(key: Key): { namespace?: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function apiVersionOf({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

type Place = { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined };

/** The path of a collection, an object or its subresource; a collection without namespace spans all of them. */
export function pathOf(resource: Resource, { namespace, name, subresource }: Place = {}): string {
  const root = resource.group === "" ? "/api" : `/apis/${resource.group}`;
  const inside = resource.isNamespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}/${resource.version}${inside}/${resource.plural}${object}${subresource ? `/${subresource}` : ""}`;
}

/** Whether `version` of an object or a list is as new as `other`, both of the same kind. */
export function isAtLeast(version: string, other: string): boolean {
  if (version === other) return true;
  // Equal in length, decimal numbers compare as text; the API server writes no leading zeros.
  if (version.length === other.length) return version > other;
  return BigInt(version) > BigInt(other);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasIdentity(metadata: unknown): metadata is Metadata {
  return (
    isRecord(metadata) &&
    typeof metadata["name"] === "string" &&
    typeof metadata["uid"] === "string" &&
    typeof metadata["resourceVersion"] === "string"
  );
}

function isObject(value: Record<string, unknown>): value is KubeObject {
  return typeof value["apiVersion"] === "string" && typeof value["kind"] === "string" && hasIdentity(value["metadata"]);
}

/** Takes over what was parsed from JSON, and drops managedFields from it: as long as the rest, and read by nobody here. Throws. */
export function toObject(value: unknown, resource: Resource): KubeObject {
  if (!isRecord(value)) throw new Error(`the API server sent no object where a ${resource.kind} belongs`);
  // Items of a list have neither of the two.
  value["apiVersion"] ??= apiVersionOf(resource);
  value["kind"] ??= resource.kind;
  // Nor has what a dry run would have made a version.
  if (isRecord(value["metadata"])) value["metadata"]["resourceVersion"] ??= "";
  if (!isObject(value)) throw new Error(`the API server sent a ${resource.kind} without name, uid or version`);
  // Copied rather than deleted from: an object that lost a field takes several times the memory, and thousands are kept.
  if ("managedFields" in value.metadata) {
    const { managedFields: _, ...metadata } = value.metadata;
    value.metadata = metadata;
  }
  return value;
}
