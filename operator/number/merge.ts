// Lays one object over another as kubectl patch does: fields are merged, items of named lists by their name, other lists and values
// are replaced, null takes a field away.
import { isRecord } from "../runtime/objects.ts";

type Fields = Record<string, unknown>;

/** By what the items of a pod's lists are told apart. */
const keys: Record<string, string> = {
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  imagePullSecrets: "name",
  volumeMounts: "mountPath",
  ports: "containerPort",
};

export function layOver(base: Fields, over: Fields): Fields {
  const merged = { ...base };
  for (const [field, value] of Object.entries(over)) {
    if (value === null) delete merged[field];
    else merged[field] = merge(field, base[field], value);
  }
  return merged;
}

function merge(field: string, base: unknown, over: unknown): unknown {
  if (isRecord(base) && isRecord(over)) return layOver(base, over);
  const key = keys[field];
  if (key === undefined || !isRecords(base) || !isRecords(over)) return over;
  const kept = base.map((item) => {
    const other = over.find((candidate) => candidate[key] === item[key]);
    return other === undefined ? item : layOver(item, other);
  });
  return [...kept, ...over.filter((item) => !base.some((candidate) => candidate[key] === item[key]))];
}

function isRecords(value: unknown): value is Fields[] {
  return Array.isArray(value) && value.every(isRecord);
}
