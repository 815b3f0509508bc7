// One line of a watch.
import { ApiError, toApiError } from "./api-error.ts";
import { isRecord, type KubeObject, type Resource, toObject } from "./objects.ts";

export type WatchEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubeObject }
  | { type: "BOOKMARK"; resourceVersion: string };

/** Throws ApiError: with the status an ERROR event tells, or 0 (Malformed) where the line is no event. */
export function parseWatchEvent(line: string, resource: Resource): WatchEvent {
  const { type, object } = parseLine(line, resource);
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type, object: toObject(object, resource) };
    case "BOOKMARK": {
      const metadata = isRecord(object) && isRecord(object["metadata"]) ? object["metadata"] : {};
      const version = metadata["resourceVersion"];
      if (typeof version !== "string") throw malformed(resource);
      return { type, resourceVersion: version };
    }
    case "ERROR": {
      const status = isRecord(object) && typeof object["code"] === "number" ? object["code"] : 500;
      throw toApiError(status, object, `watch of ${resource.plural}`);
    }
    default:
      throw malformed(resource);
  }
}

function parseLine(line: string, resource: Resource): Record<string, unknown> {
  try {
    const event: unknown = JSON.parse(line);
    if (isRecord(event)) return event;
  } catch (error) {
    throw malformed(resource, error);
  }
  throw malformed(resource);
}

function malformed(resource: Resource, cause?: unknown): ApiError {
  return new ApiError(0, "Malformed", `watch of ${resource.plural}: the line is no event`, { cause });
}
