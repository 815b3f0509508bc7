// What the API server can be asked, on raw JSON: a typed serializer would drop the fields it does not know, and server-side apply
// would then give them up.
import { ApiError, hasStatus } from "./api-error.ts";
import { lines } from "./json-lines.ts";
import {
  isRecord,
  type Key,
  type KubeObject,
  pathOf,
  type Resource,
  splitKey,
  toObject,
  type Wish,
} from "./objects.ts";
import type { ApiRequest, Transport } from "./transport.ts";

export type Selection = {
  /** All namespaces unless told. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
};

export type Page = {
  items: KubeObject[];
  /** Of the whole list. */
  resourceVersion: string;
  /** Asks for the next page; undefined at the end. */
  continue: string | undefined;
};

type Call = { signal?: AbortSignal | undefined };
type ApplyOptions = Call & {
  fieldManager: string;
  /** Fields of other managers are taken over unless this is false. */
  force?: boolean;
  subresource?: "status";
  /** Validated and answered, not stored. */
  dryRun?: boolean;
};
type ReplaceOptions = Call & { subresource?: "status" };
type DeleteOptions = Call & { uid?: string; resourceVersion?: string; gracePeriodSeconds?: number };

export type Client = {
  /** From etcd, not from a cache. Undefined if there is none. */
  get(resource: Resource, key: Key, call?: Call): Promise<KubeObject | undefined>;
  list(
    resource: Resource,
    options: Selection & Call & { limit?: number; continue?: string | undefined },
  ): Promise<Page>;
  /** The stream's lines, each an event. The signal ends it; the server does so after `timeoutSeconds`. */
  watch(
    resource: Resource,
    options: Selection & { resourceVersion: string; timeoutSeconds: number; signal: AbortSignal } & WatchHooks,
  ): Promise<AsyncIterable<string>>;
  /** Server-side apply: made if absent, and afterwards with exactly the wished fields owned by `fieldManager`. */
  apply(resource: Resource, wish: Wish, options: ApplyOptions): Promise<KubeObject>;
  /** Compare and swap: refused with 409 unless the stored object has this one's resourceVersion. */
  replace(resource: Resource, object: Wish, options?: ReplaceOptions): Promise<KubeObject>;
  /** Refused with 409 if it exists. */
  create(resource: Resource, object: Wish, call?: Call): Promise<KubeObject>;
  /** Whether there was something to delete. Refused with 409 if it is not of that uid or version. */
  delete(resource: Resource, key: Key, options?: DeleteOptions): Promise<boolean>;
};

type WatchHooks = {
  /** For each chunk that comes, whatever it holds. */
  onBytes?: () => void;
  /** The stream ended in the middle of a line. */
  onCut?: () => void;
};

const listTimeoutMs = 60_000;

export function createClient(transport: Transport): Client {
  const write = async (resource: Resource, request: ApiRequest): Promise<KubeObject> =>
    toObject(await transport.send(request), resource);
  return {
    async get(resource, key, { signal } = {}) {
      try {
        return await write(resource, { method: "GET", path: pathOf(resource, splitKey(key)), signal });
      } catch (error) {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      }
    },
    async list(resource, { namespace, signal, ...query }) {
      const path = pathOf(resource, { namespace });
      return toPage(await transport.send({ method: "GET", path, query, timeoutMs: listTimeoutMs, signal }), resource);
    },
    async watch(resource, { namespace, signal, onBytes, onCut, ...selection }) {
      const query = { ...selection, watch: true, allowWatchBookmarks: true };
      const chunks = await transport.open({ method: "GET", path: pathOf(resource, { namespace }), query, signal });
      return lines(onBytes === undefined ? chunks : tap(chunks, onBytes), onCut);
    },
    apply: (resource, wish, { fieldManager, force = true, subresource, dryRun, signal }) =>
      write(resource, {
        method: "PATCH",
        path: pathOf(resource, { ...wish.metadata, subresource }),
        query: { fieldManager, force, dryRun: dryRun ? "All" : undefined },
        // YAML is what the content type says, and JSON is YAML.
        contentType: "application/apply-patch+yaml",
        body: wish,
        signal,
      }),
    replace: (resource, object, { subresource, signal } = {}) =>
      write(resource, {
        method: "PUT",
        path: pathOf(resource, { ...object.metadata, subresource }),
        body: object,
        signal,
      }),
    create: (resource, object, { signal } = {}) => {
      const path = pathOf(resource, { namespace: object.metadata.namespace });
      return write(resource, { method: "POST", path, body: object, signal });
    },
    async delete(resource, key, options = {}) {
      const body = deleteOptions(options);
      try {
        await transport.send({ method: "DELETE", path: pathOf(resource, splitKey(key)), body, signal: options.signal });
        return true;
      } catch (error) {
        if (hasStatus(error, 404)) return false;
        throw error;
      }
    },
  };
}

function deleteOptions({ uid, resourceVersion, gracePeriodSeconds }: DeleteOptions): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    propagationPolicy: "Background",
    preconditions: { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) },
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
  };
}

async function* tap(chunks: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onBytes();
    yield chunk;
  }
}

function toPage(answer: unknown, resource: Resource): Page {
  const fields = isRecord(answer) ? answer : {};
  const metadata = isRecord(fields["metadata"]) ? fields["metadata"] : {};
  const { resourceVersion, continue: next } = metadata;
  if (!Array.isArray(fields["items"]) || typeof resourceVersion !== "string")
    throw new ApiError(0, "Malformed", `the API server sent no list of ${resource.plural}`);
  return {
    items: fields["items"].map((item) => toObject(item, resource)),
    resourceVersion,
    continue: typeof next === "string" && next !== "" ? next : undefined,
  };
}
