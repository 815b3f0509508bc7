// Writes what a controller of ours may write on its objects: the status, where it differs, and our finalizers.
import type { Condition, Subject } from "./conditions.ts";
import { hashOf } from "./runtime/apply-hash.ts";
import type { Client } from "./runtime/client.ts";
import type { Work } from "./runtime/controller.ts";
import type { Recorder } from "./runtime/events.ts";
import { apiVersionOf, type KubeObject, type Resource } from "./runtime/objects.ts";
import type { Store } from "./runtime/store.ts";
import type { WrittenVersions } from "./runtime/written-versions.ts";

type WriterOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  resource: Resource;
  store: Pick<Store<unknown>, "version">;
  written: WrittenVersions;
  recorder: Recorder;
  /** Of server-side apply. */
  fieldManager: string;
  /** Types of conditions whose transitions are events, beside Ready. */
  told?: readonly string[];
};

type Status = NonNullable<Subject["status"]> & Record<string, unknown>;
type Target = KubeObject & Subject;

export type StatusWriter = {
  /** Whether it was written: what is there already is not. Tells transitions in events. */
  save(object: Target, status: Status, work: Work): Promise<boolean>;
  /** Ours, all of them; those of others stay. */
  keepFinalizers(object: Target, finalizers: readonly string[], work: Work): Promise<void>;
};

export function createStatusWriter(options: WriterOptions): StatusWriter {
  const { client, resource, store, written, recorder, fieldManager, told = [] } = options;
  // The uid keeps an apply from making an object anew that is gone.
  const wishFor = ({ metadata: { name, namespace, uid } }: Target) => ({
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, uid, ...(namespace !== undefined && { namespace }) },
  });
  return {
    async save(object, status, { key, signal }) {
      if (hashOf(status) === hashOf(object.status ?? {})) return false;
      const wish = { ...wishFor(object), status };
      const saved = await client.apply(resource, wish, { fieldManager, subresource: "status", signal });
      written.remember(key, store, saved.metadata.resourceVersion);
      for (const type of ["Ready", ...told]) tellTransition(recorder, object, status.conditions ?? [], type);
      return true;
    },
    async keepFinalizers(object, finalizers, { key, signal }) {
      const { metadata, ...wish } = wishFor(object);
      const own = finalizers.length > 0 ? { ...metadata, finalizers: [...finalizers] } : metadata;
      const saved = await client.apply(resource, { ...wish, metadata: own }, { fieldManager, signal });
      written.remember(key, store, saved.metadata.resourceVersion);
    },
  };
}

function tellTransition(recorder: Recorder, object: Target, conditions: readonly Condition[], type: string): void {
  const before = object.status?.conditions?.find((condition) => condition.type === type);
  const after = conditions.find((condition) => condition.type === type);
  if (after === undefined || (before?.status === after.status && before.reason === after.reason)) return;
  // What is said first is no transition, but for Ready.
  if (before === undefined && type !== "Ready") return;
  recorder.record(object, {
    type: after.status === "False" ? "Warning" : "Normal",
    reason: after.reason,
    action: `Set${type}`,
    note: after.message === "" ? `${type} is ${after.status}` : after.message,
  });
}
