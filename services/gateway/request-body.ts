// The body of a request: its bytes as they came, and the JSON in them.
import type { FastifyRequest } from "fastify";
import { cloudFault } from "./errors.ts";

const nothing = Buffer.alloc(0);

/** Empty if the request has no body. */
export function rawBody(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : nothing;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const deepest = 64;

/** Throws content_type_unsupported or bad_json. */
export function jsonBody(request: FastifyRequest): unknown {
  const type = request.headers["content-type"];
  if (type !== undefined && !/^application\/([\w.-]+\+)?json\b/i.test(type)) {
    throw cloudFault("content_type_unsupported", "content type must be application/json");
  }
  const json = parseJson(rawBody(request));
  if (nestsDeeperThan(json, deepest)) throw cloudFault("bad_json", `body is nested deeper than ${deepest} levels`);
  return json;
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw cloudFault("bad_json", "body is empty");
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    // The parser's message quotes the body.
    throw cloudFault("bad_json", "body must be JSON in UTF-8");
  }
}

/** Level by level, because recursion is what such a body is made to break. */
function nestsDeeperThan(json: unknown, levels: number): boolean {
  let level: unknown[] = [json];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levels) return true;
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
  }
  return false;
}
