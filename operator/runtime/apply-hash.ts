// Whether an object has to be written: an operator at rest writes nothing.
import { hash } from "node:crypto";
import { isRecord, type KubeObject, type Wish } from "./objects.ts";

/** The wish with its own hash in an annotation, for isApplied. */
export function stampHash(wish: Wish, annotation: string): Wish {
  const annotations = { ...wish.metadata.annotations, [annotation]: hashOf(wish) };
  return { ...wish, metadata: { ...wish.metadata, annotations } };
}

/** Sixteen hex digits, the same for whatever order of fields. */
export function hashOf(value: unknown): string {
  return hash("sha256", canonical(value), "hex").slice(0, 16);
}

/** Whether `stored` was made from this stamped wish. Enough where nobody else writes, or where the cache holds a projection only. */
export function hasSameHash(wish: Wish, stored: Pick<KubeObject, "metadata">, annotation: string): boolean {
  return stored.metadata.annotations?.[annotation] === wish.metadata.annotations?.[annotation];
}

/**
 * Whether every field of the wish is in `stored` as wished; the server's defaults and the fields of others do not count. Items of
 * lists are compared by place, and lists must be equally long. Values must be written as the server stores them (`1`, not `1000m`).
 */
export function isWithin(wish: unknown, stored: unknown): boolean {
  if (Array.isArray(wish))
    return (
      Array.isArray(stored) &&
      wish.length === stored.length &&
      wish.every((item: unknown, index) => isWithin(item, stored[index]))
    );
  if (!isRecord(wish)) return Object.is(wish, stored);
  return isRecord(stored) && Object.entries(wish).every(([field, value]) => isWithin(value, stored[field]));
}

/** Loops and one string that grows: chains of array methods took a tenth of the operator's time with a fleet. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    let text = "[";
    for (const item of value) text += text === "[" ? canonical(item) : `,${canonical(item)}`;
    return `${text}]`;
  }
  if (!isRecord(value)) return JSON.stringify(value) ?? "null";
  let text = "{";
  for (const name of Object.keys(value).sort()) {
    const field = value[name];
    if (field === undefined) continue;
    text += `${text === "{" ? "" : ","}${JSON.stringify(name)}:${canonical(field)}`;
  }
  return `${text}}`;
}
