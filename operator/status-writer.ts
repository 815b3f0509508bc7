// Writes what a controller of ours may write on its objects: the status, where it differs, and our finalizers.
import type { Condition, Subject } from "./conditions.ts";
import { hashOf } from "./runtime/apply-hash.ts";
import type { Client } from "./runtime/client.ts";
import type { Work } from "./runtime/controller.ts";
import type { Recorder } from "./runtime/events.ts";
import { apiVersionOf, type Key, type KubeObject, type Resource } from "./runtime/objects.ts";
import type { Store } from "./runtime/store.ts";
import type { WrittenVersions } from "./runtime/written-versions.ts";

type WriterOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  resource: Resource;
  store: Pick<Store<unknown>, "version">;
  written: WrittenVersions;
  /** Without one no transition is told. */
  recorder?: Recorder;
  /** Of server-side apply. */
  fieldManager: string;
  /** Types of conditions whose transitions are events, beside Ready: those that are good when True, and those that are bad. */
  told?: readonly string[];
  toldFaults?: readonly string[];
};

type Status = NonNullable<Subject["status"]> & Record<string, unknown>;
type Target = KubeObject & Subject;

export type StatusWriter = {
  /**
   * Whether it was written: what is there already is not. Rejects with 409 if anybody but this writer has written since `object` was
   * seen: one who leads no more, and does not know it, must not write what is over. Tells transitions in events.
   */
  save(object: Target, status: Status, work: Work): Promise<boolean>;
  /** Ours, all of them; those of others stay. */
  keepFinalizers(object: Target, finalizers: readonly string[], work: Work): Promise<void>;
};

export function createStatusWriter(options: WriterOptions): StatusWriter {
  const { client, resource, store, written, fieldManager } = options;
  /** Of objects that were written here since they were seen. */
  const versions = new WeakMap<Target, string>();
  // The uid keeps an apply from making an object anew that is gone.
  const wishFor = ({ metadata: { name, namespace, uid } }: Target) => ({
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, uid, ...(namespace !== undefined && { namespace }) },
  });
  const remember = (object: Target, { metadata }: KubeObject, key: Key): void => {
    versions.set(object, metadata.resourceVersion);
    written.remember(key, store, metadata.resourceVersion);
  };
  return {
    async save(object, status, { key, signal }) {
      if (hashOf(status) === hashOf(object.status ?? {})) return false;
      const { metadata, ...wish } = wishFor(object);
      const resourceVersion = versions.get(object) ?? object.metadata.resourceVersion;
      const saved = await client.apply(
        resource,
        { ...wish, metadata: { ...metadata, resourceVersion }, status },
        { fieldManager, subresource: "status", signal },
      );
      remember(object, saved, key);
      tellTransitions(options, object, status.conditions ?? []);
      return true;
    },
    async keepFinalizers(object, finalizers, { key, signal }) {
      const { metadata, ...wish } = wishFor(object);
      const own = finalizers.length > 0 ? { ...metadata, finalizers: [...finalizers] } : metadata;
      remember(object, await client.apply(resource, { ...wish, metadata: own }, { fieldManager, signal }), key);
    },
  };
}

function tellTransitions(
  { recorder, told = [], toldFaults = [] }: WriterOptions,
  object: Target,
  conditions: readonly Condition[],
): void {
  if (recorder === undefined) return;
  for (const after of conditions) {
    const { type, status, reason, message } = after;
    const isFault = toldFaults.includes(type);
    if (type !== "Ready" && !told.includes(type) && !isFault) continue;
    const before = object.status?.conditions?.find((condition) => condition.type === type);
    if (before?.status === status && before.reason === reason) continue;
    const isBad = status === (isFault ? "True" : "False");
    // What is said first is no transition, but for Ready and for faults.
    if (before === undefined && type !== "Ready" && !(isFault && isBad)) continue;
    recorder.record(object, {
      type: isBad ? "Warning" : "Normal",
      reason,
      action: `Set${type}`,
      note: message === "" ? `${type} is ${status}` : message,
    });
  }
}
