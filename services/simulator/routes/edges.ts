// The lists of a business account: its numbers and its templates, in pages.
import type { Account } from "../store.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";
import { type Fields, numberDefaults, numberFields, select, templateDefaults, templateFields } from "./nodes.ts";

const defaultLimit = 25;
const maxLimit = 1_000;

export function listNumbers(account: Account, request: GraphRequest, appId: string): GraphReply {
  return page(
    account.numbers.map((number) => numberFields(number, appId)),
    request,
    numberDefaults,
  );
}

const exactFilters = ["status", "language", "category", "quality_score"] as const;

export function listTemplates(account: Account, request: GraphRequest): GraphReply {
  const { query } = request;
  const name = query.get("name") ?? query.get("name_or_content") ?? "";
  const wanted = exactFilters.flatMap((filter) => {
    const values = filterValues(query.get(filter));
    return values.length === 0 ? [] : [{ filter, values }];
  });
  const found = [...account.templates.values()].filter(
    (template) =>
      // Meta's filter by name finds part of a name, too.
      template.name.includes(name) &&
      wanted.every(({ filter, values }) => values.includes(template[filter].toUpperCase())),
  );
  return page(found.map(templateFields), request, templateDefaults);
}

/** `APPROVED`, `APPROVED,PAUSED` or `["APPROVED"]`, in upper case. */
function filterValues(given: string | null): string[] {
  return (given ?? "")
    .toUpperCase()
    .split(/[,[\]"\s]+/)
    .filter((value) => value !== "");
}

function page(rows: readonly Fields[], request: GraphRequest, defaults: readonly string[]): GraphReply {
  const { query } = request;
  const limit = Math.min(maxLimit, Math.max(1, Number(query.get("limit")) || defaultLimit));
  const after = readCursor(query.get("after"), -1);
  const before = readCursor(query.get("before"), undefined);
  if (Number.isNaN(after) || Number.isNaN(before))
    return { error: { code: 131059, details: "paging cursor is not valid" } };
  const start = before === undefined ? (after ?? -1) + 1 : Math.max(0, before - limit);
  const end = before ?? start + limit;
  const data: object[] = [];
  for (const fields of rows.slice(start, Math.min(end, start + limit))) {
    const row = select(fields, query, defaults);
    if ("error" in row) return row;
    data.push(row.body);
  }
  if (data.length === 0) return { body: { data } };
  const last = start + data.length - 1;
  const cursors = { before: toCursor(start), after: toCursor(last) };
  const next = last + 1 < rows.length ? { next: toLink(request, limit, "after", cursors.after) } : {};
  const previous = start > 0 ? { previous: toLink(request, limit, "before", cursors.before) } : {};
  return { body: { data, paging: { cursors, ...next, ...previous } } };
}

function toCursor(index: number): string {
  return Buffer.from(`row:${index}`).toString("base64url");
}

/** NaN for a cursor that we did not make. */
function readCursor<Missing>(cursor: string | null, missing: Missing): number | Missing {
  if (cursor === null || cursor === "") return missing;
  return Number(/^row:(\d+)$/.exec(Buffer.from(cursor, "base64url").toString())?.[1]);
}

function toLink({ origin, path, query }: GraphRequest, limit: number, way: string, cursor: string): string {
  const link = new URLSearchParams(query);
  for (const name of ["before", "after", "access_token"]) link.delete(name);
  link.set("limit", String(limit));
  link.set(way, cursor);
  return `${origin}${path}?${link.toString()}`;
}
