// Templates in the Cloud dialect: list, create and delete under the account, edit by the template's id.
import type { FastifyInstance, FastifyReply } from "fastify";
import {
  type ParsedTemplate,
  parseNewTemplate,
  parseTemplateChange,
  toTemplateJson,
} from "#dialects/cloud-template-management.ts";
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { authenticate } from "../authenticate.ts";
import { cloudFault } from "../errors.ts";
import { jsonBody } from "../request-body.ts";
import { tryDeadlineMs, withRetries } from "../retries.ts";
import type { Tokens } from "../tokens.ts";

export type TemplatesDependencies = {
  templates: Pick<
    Client<typeof TemplatesService>,
    "listTemplates" | "createTemplate" | "editTemplate" | "deleteTemplate"
  >;
  tokens: Tokens;
};

type Query = Record<string, string | string[] | undefined>;
type Route = { Params: { version: string; id: string }; Querystring: Query };

// WhatsApp checks a template for some seconds before it answers. Never repeated: nobody knows what a lost answer did.
const changeDeadlineMs = 40_000;

export function addTemplateRoutes(app: FastifyInstance, { templates, tokens }: TemplatesDependencies): void {
  const options = { onRequest: authenticate(tokens) };
  const node = "/:version(^v\\d+\\.\\d+$)/:id(^\\d{1,32}$)";
  const edge = `${node}/message_templates`;

  app.get<Route>(edge, options, async ({ params: { id: wabaId, version }, query }, reply) => {
    setVersion(reply, version);
    const list = await withRetries(() =>
      templates.listTemplates({ wabaId, status: text(query["status"]).toUpperCase() }, { deadlineMs: tryDeadlineMs }),
    );
    const present = list.templates.filter(({ status }) => status !== "DELETED").map(toTemplateJson);
    return page(present.filter(filterOf(query)), query);
  });

  app.post<Route>(edge, options, async (request, reply) => {
    const { id: wabaId, version } = request.params;
    setVersion(reply, version);
    const given = templateOf(parseNewTemplate(jsonBody(request)));
    const { template } = await changed(
      templates.createTemplate({ template: { ...given, wabaId } }, { deadlineMs: changeDeadlineMs }),
    );
    return { id: template?.templateId, status: template?.status, category: template?.category };
  });

  app.delete<Route>(edge, options, async ({ params: { id: wabaId, version }, query }, reply) => {
    setVersion(reply, version);
    const name = text(query["name"]);
    if (name === "") throw cloudFault("parameter_invalid", "name is missing");
    const language = await languageOf(wabaId, name, text(query["hsm_id"]));
    await changed(templates.deleteTemplate({ key: { wabaId, name, language } }, { deadlineMs: changeDeadlineMs }));
    return { success: true };
  });

  app.post<Route>(node, options, async (request, reply) => {
    const { id: templateId, version } = request.params;
    setVersion(reply, version);
    const given = templateOf(parseTemplateChange(jsonBody(request)));
    await changed(templates.editTemplate({ template: { ...given, templateId } }, { deadlineMs: changeDeadlineMs }));
    return { success: true };
  });

  /** Empty without an id: every language. */
  async function languageOf(wabaId: string, name: string, templateId: string): Promise<string> {
    if (templateId === "") return "";
    const list = await withRetries(() => templates.listTemplates({ wabaId, name }, { deadlineMs: tryDeadlineMs }));
    const found = list.templates.find((template) => template.templateId === templateId);
    if (found === undefined) throw cloudFault("route_unknown", `template ${templateId} does not exist`);
    return found.language;
  }
}

function setVersion(reply: FastifyReply, version: string): void {
  void reply.header("facebook-api-version", version);
}

function templateOf(parsed: ParsedTemplate) {
  if (parsed.kind === "refusal") throw cloudFault("parameter_invalid", parsed.details);
  return parsed.template;
}

/** WhatsApp's refusal, and a template that is not there, in the words that Meta has for them. */
async function changed<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.reason === "upstream_refused") throw cloudFault("parameter_invalid", error.message, { cause: error });
    if (error.reason === "template_missing") throw cloudFault("route_unknown", error.message, { cause: error });
    throw error;
  }
}

function text(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

type Row = Record<string, unknown>;

/** Part of a name is enough, as at Meta. */
function filterOf(query: Query): (row: Row) => boolean {
  const name = text(query["name"]) || text(query["name_or_content"]);
  const language = text(query["language"]).replaceAll("-", "_");
  const category = text(query["category"]).toUpperCase();
  return (row) =>
    String(row["name"]).includes(name) &&
    (language === "" || row["language"] === language) &&
    (category === "" || row["category"] === category);
}

const usualLimit = 25;
const largestLimit = 1_000;

function page(rows: readonly Row[], query: Query): object {
  const limit = Math.min(largestLimit, Math.max(1, Number(text(query["limit"])) || usualLimit));
  const start = startOf(text(query["after"]));
  const data = rows.slice(start, start + limit).map((row) => select(row, text(query["fields"])));
  if (data.length === 0) return { data };
  const isLast = start + data.length >= rows.length;
  const cursors = { before: toCursor(start), after: toCursor(start + data.length) };
  return { data, paging: { cursors, ...(!isLast && { next: `?after=${cursors.after}&limit=${limit}` }) } };
}

function select(row: Row, fields: string): Row {
  if (fields === "") return row;
  const names = new Set([...fields.split(",").map((name) => name.trim()), "id"]);
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name)));
}

function toCursor(start: number): string {
  return Buffer.from(`template:${start}`).toString("base64url");
}

function startOf(cursor: string): number {
  if (cursor === "") return 0;
  const start = /^template:(\d{1,9})$/.exec(Buffer.from(cursor, "base64url").toString())?.[1];
  if (start === undefined) throw cloudFault("parameter_invalid", "after is no cursor that was given out");
  return Number(start);
}
