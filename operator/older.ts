// Two resources that mean the same thing at WhatsApp: the older one counts, whoever wrote the other.
import { type Key, keyOf, type Metadata } from "./runtime/objects.ts";

type Aged = { metadata: Pick<Metadata, "name" | "namespace" | "uid" | "creationTimestamp"> };

/** The key of one among `others` that is older; of the same second, the one whose uid comes first. */
export function findOlder(object: Aged, others: readonly Aged[]): Key | undefined {
  const older = others.find((other) => other.metadata.uid !== object.metadata.uid && orderOf(other) < orderOf(object));
  return older && keyOf(older.metadata);
}

function orderOf({ metadata }: Aged): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.uid}`;
}
