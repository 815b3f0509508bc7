// What tests of our kinds ask of a cluster: conditions that come, and all that anybody may read.
import assert from "node:assert/strict";
import type { KubeAccess } from "#test/env/kube-objects.ts";
import { until } from "#test/until.ts";
import type { Condition } from "./conditions.ts";
import { isRecord, type KubeObject, type Resource } from "./runtime/objects.ts";

const waitMs = 180_000;

export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const { status } = object;
  const conditions: unknown = isRecord(status) ? status["conditions"] : undefined;
  if (!Array.isArray(conditions)) return undefined;
  return conditions.find((condition) => isRecord(condition) && condition["type"] === type);
}

/** Waits for `status reason` of a condition; fails with the status that there was. */
export async function untilSaid(
  { client }: KubeAccess,
  resource: Resource,
  key: string,
  type: string,
  expected: string,
): Promise<KubeObject> {
  let last: unknown;
  try {
    return await until(
      async () => {
        const object = await client.get(resource, key);
        last = object?.["status"];
        const found = object && conditionOf(object, type);
        const isSaid = found !== undefined && `${found.status} ${found.reason}`.startsWith(expected);
        return isSaid && found.observedGeneration === object?.metadata.generation ? object : undefined;
      },
      { timeoutMs: waitMs, message: `${key} is ${type} ${expected}` },
    );
  } catch (error) {
    throw new Error(`${key} is not ${type} ${expected}: ${JSON.stringify(last, null, 1)}`, { cause: error });
  }
}

const events: Resource = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events", isNamespaced: true };

/** That none of these words stands in an object's status or in any event of the namespace. */
export async function assertKeptSecret(
  { client }: KubeAccess,
  { namespace, resources, words }: { namespace: string; resources: readonly Resource[]; words: readonly string[] },
): Promise<void> {
  const pages = await Promise.all(resources.map((resource) => client.list(resource, { namespace })));
  const told = await client.list(events, { namespace });
  const text = JSON.stringify([pages.flatMap(({ items }) => items.map(({ status }) => status)), told.items]);
  assert.ok(told.items.length > 0, "events were recorded");
  for (const word of words) assert.ok(!text.includes(word), `a secret is told: ${text}`);
}
