// One call of the Graph API that is not a message: asked once, and either accepted, refused or unavailable.
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { GraphError } from "./domain/outcome.ts";
import { parseError, parseJson } from "./graph.ts";
import type { Upstream } from "./upstream.ts";

/** A text; empty where it is absent. */
export const text = z.string().catch("");
/** Ids are decimal texts, in places numbers. */
export const id = z.union([z.string(), z.int().transform(String)]);

export const success = z.object({ success: z.literal(true) });

type Call = {
  method: "GET" | "POST" | "DELETE";
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  signal: AbortSignal;
};

export type Called<T> = { kind: "accepted"; value: T } | { kind: "refused"; error: GraphError };

/** Throws upstream_unavailable. */
export async function call<Schema extends z.ZodType>(
  upstream: Upstream,
  request: Call,
  schema: Schema,
): Promise<Called<z.output<Schema>>> {
  const answer = await upstream.request(request);
  if (answer.kind !== "reply") throw unavailable(`${request.path} was not answered`, answer.error);
  const json = parseJson(answer.text);
  const error = parseError(json);
  if (error !== undefined && answer.status < 500) return { kind: "refused", error };
  const result = schema.safeParse(json);
  if (answer.status < 200 || answer.status > 299 || !result.success) {
    throw unavailable(
      `${request.path} was answered by HTTP ${answer.status} with a body that is not understood`,
      result.error,
    );
  }
  return { kind: "accepted", value: result.data };
}

/** The value. Throws upstream_refused. */
export function accepted<T>(called: Called<T>): T {
  if (called.kind === "accepted") return called.value;
  throw new ServiceError("FAILED_PRECONDITION", "upstream_refused", `WhatsApp refused with ${inWords(called.error)}`);
}

/** A refusal for people. */
export function inWords({ code, subcode, message, details }: GraphError): string {
  const place = subcode === undefined ? `code ${code}` : `code ${code}, subcode ${subcode}`;
  return `${place}: ${[message, details].filter((part) => part !== "").join("; ")}`;
}

const mostPages = 200;

function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({
    data: z.array(row),
    paging: z
      .object({ cursors: z.object({ after: z.string() }).optional(), next: z.string().optional() })
      .optional()
      .catch(undefined),
  });
}

type Listing = { path: string; query: Record<string, string>; signal: AbortSignal };

/** Every row of a list, page by page. Throws upstream_refused or upstream_unavailable. */
export async function listAll<Row extends z.ZodType>(
  upstream: Upstream,
  { path, query, signal }: Listing,
  row: Row,
): Promise<z.output<Row>[]> {
  const schema = pageOf(row);
  const rows: z.output<Row>[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < mostPages; pages += 1) {
    const asked = { ...query, ...(after !== undefined && { after }) };
    const { data, paging } = accepted(await call(upstream, { method: "GET", path, query: asked, signal }, schema));
    rows.push(...data);
    after = paging?.cursors?.after;
    // The cursor alone is used: `next` is an address that would be given our token.
    if (paging?.next === undefined || after === undefined) return rows;
  }
  throw unavailable(`${path} has more than ${mostPages} pages`, undefined);
}

function unavailable(what: string, cause: unknown): ServiceError {
  return new ServiceError("UNAVAILABLE", "upstream_unavailable", `upstream is unavailable: ${what}`, { cause });
}
