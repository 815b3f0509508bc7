// A client that writes only as leader, and says on what it writes in which term. The lease is no fence: a request may still arrive
// after it was lost; but none is begun then.
import { ApiError } from "./api-error.ts";
import type { Client } from "./client.ts";
import type { Wish } from "./objects.ts";

type FenceOptions = {
  /** The leader's term; undefined while writing is not allowed. */
  term: () => number | undefined;
  /** Annotation that gets the term, on whole objects; status has none. */
  annotation: string;
};

/** Reads pass; writes of others than the leader reject with status 0, NotLeader. */
export function fencedClient(client: Client, { term, annotation }: FenceOptions): Client {
  const mark = (wish: Wish): Wish => {
    const value = String(lead(term));
    const annotations = { ...wish.metadata.annotations, [annotation]: value };
    return { ...wish, metadata: { ...wish.metadata, annotations } };
  };
  const markObject = (wish: Wish, subresource: "status" | undefined): Wish => {
    if (subresource === undefined) return mark(wish);
    lead(term);
    return wish;
  };
  return {
    ...client,
    apply: async (resource, wish, options) => client.apply(resource, markObject(wish, options.subresource), options),
    replace: async (resource, object, options) =>
      client.replace(resource, markObject(object, options?.subresource), options),
    create: async (resource, object, call) => client.create(resource, mark(object), call),
    delete: async (resource, key, options) => {
      lead(term);
      return client.delete(resource, key, options);
    },
  };
}

function lead(term: () => number | undefined): number {
  const current = term();
  if (current === undefined) throw new ApiError(0, "NotLeader", "not written: this process does not lead");
  return current;
}
