// Writes the resources of what accounts have at WhatsApp already. Reads only; applying what it writes changes nothing there.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { ServiceError } from "#lib/errors.ts";
import { createClient } from "#lib/grpc.ts";
import { checkDocument } from "#local/checkers.ts";
import { adoptAccount, adoptNumber, type Manifest, manifest, nameMaker } from "#operator/adoption.ts";
import { declareTemplate } from "#operator/registration.ts";
import { adoptTemplate } from "#operator/template/adoption.ts";
import {
  type ListPhoneNumbersResponse,
  type UpstreamPhoneNumber,
  UpstreamService,
} from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { MessagesService, type Number as RegisteredNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Template, TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { AdoptOptions } from "../arg-values.ts";
import type { Context } from "../context.ts";
import { exitCodes, UsageError } from "../errors.ts";
import { json } from "../render.ts";

/** A resource, what has to be known of it, and in which file it belongs. */
type Page = { part: "account" | "numbers" | "templates"; document: Manifest | undefined; comment: string };
type AdoptedAccount = { name: string; pages: Page[] };

/** WhatsApp lists an account page by page. */
const deadlineMs = 60_000;

export async function adopt(options: AdoptOptions, context: Context): Promise<number> {
  const { places, tls, signal, out, json: asJson } = context;
  await using messages = createClient(MessagesService, places.messages(), { tls: tls.grpc });
  const { numbers } = await messages.listNumbers({ wabaId: options.wabaId ?? "" }, { signal });
  const connected = numbers.filter(({ connection }) => connection?.connected === true && connection.address !== "");
  const accounts = [...new Set(connected.map(({ wabaId }) => wabaId))];
  if (accounts.length === 0)
    throw new ServiceError("FAILED_PRECONDITION", "number_disconnected", `${whose(options)} no connected number`);
  if (accounts.length > 1 && (options.name ?? options.secret) !== undefined)
    throw new UsageError("--name and --secret are for one account; there are several, so say --account too");
  const makeName = nameMaker();
  const adopted: AdoptedAccount[] = [];
  for (const wabaId of accounts) {
    const own = numbers.filter((number) => number.wabaId === wabaId);
    adopted.push(await adoptOne(wabaId, own, { ...options, makeName }, context));
  }
  if (options.folder !== undefined) writeFiles(resolve(options.folder), adopted, context);
  else if (asJson) out(json({ apiVersion: "v1", kind: "List", items: adopted.flatMap(documentsOf) }));
  else
    out(
      adopted
        .map(({ pages }) => textOf(pages))
        .join("---\n")
        .trimEnd(),
    );
  return exitCodes.ok;
}

function whose({ wabaId }: AdoptOptions): string {
  return wabaId === undefined ? "no account has a number here that is connected, so there is" : `account ${wabaId} has`;
}

type Naming = Pick<AdoptOptions, "name" | "secret"> & { makeName: ReturnType<typeof nameMaker> };

async function adoptOne(
  wabaId: string,
  registered: readonly RegisteredNumber[],
  naming: Naming,
  context: Context,
): Promise<AdoptedAccount> {
  const address = registered.find(({ connection }) => connection?.connected === true)?.connection?.address ?? "";
  await using upstream = createClient(UpstreamService, address, { deadlineMs, tls: context.tls.grpc });
  const account = await upstream.getAccount({}, { signal: context.signal });
  const { phoneNumbers } = await upstream.listPhoneNumbers({}, { signal: context.signal });
  const name = naming.name ?? naming.makeName(account.name, "account");
  const secret = naming.secret ?? name;
  const page: Page = {
    part: "account",
    document: adoptAccount(wabaId, { name, secret }),
    comment: secretComment(secret),
  };
  const pages = [page, ...numberPages(phoneNumbers, registered, name), ...(await templatePages(wabaId, name, context))];
  return { name, pages };
}

function secretComment(secret: string): string {
  return `If the account is declared already, name and credentialsRef must be those that it has (--name, --secret).
The Secret is not written here. It is made so, and needs all three:
  kubectl create secret generic ${secret} --from-literal=accessToken=... --from-literal=appSecret=... --from-literal=verifyToken=...`;
}

function numberPages(
  upstream: ListPhoneNumbersResponse["phoneNumbers"],
  registered: readonly RegisteredNumber[],
  accountName: string,
): Page[] {
  const makeName = nameMaker(registered.map(({ name }) => name));
  return upstream.map((number) => {
    const known = registered.find(({ phoneNumberId }) => phoneNumberId === number.phoneNumberId);
    const name = known?.name ?? makeName(number.verifiedName, "number");
    const document = adoptNumber(number, known, { name, accountName });
    return { part: "numbers", document, comment: known === undefined ? foreignComment(number) : knownComment };
  });
}

const knownComment = `Runs here already. What only its resource knows (credentialsRef, registration, connectionClassName, policies) is not written.`;

function foreignComment({ platformType, codeVerificationStatus }: UpstreamPhoneNumber): string {
  const facts = [platformType, codeVerificationStatus].filter((word) => word !== "").join(", ");
  return `Not run here yet${facts === "" ? "" : ` (WhatsApp says ${facts})`}: desiredState Connected has Heliograph run it.`;
}

const gone = new Set(["DELETED", "PENDING_DELETION"]);

async function templatePages(wabaId: string, accountName: string, { places, tls, signal }: Context): Promise<Page[]> {
  await using service = createClient(TemplatesService, places.templates(), { deadlineMs, tls: tls.grpc });
  await service.syncTemplates({ wabaId }, { signal });
  const { templates } = await service.listTemplates({ wabaId }, { signal });
  const makeName = nameMaker();
  const pages: Page[] = [];
  for (const template of templates.filter(({ status }) => !gone.has(status))) {
    const name = makeName(`${template.name}-${template.language}`, "template");
    const adopted = toManifest(template, name, accountName);
    if ("why" in adopted) {
      const comment = `Not declared: template ${template.name} in ${template.language}: ${adopted.why}.`;
      pages.push({ part: "templates", document: undefined, comment });
      continue;
    }
    const { name: key, language } = template;
    const { differences } = await service.getTemplate(
      { key: { wabaId, name: key, language }, declared: adopted.declaration(wabaId) },
      { signal },
    );
    pages.push(differences.length === 0 ? adopted.page : observing(adopted.page, differences));
  }
  return pages;
}

type AdoptedTemplate = {
  page: Page & { document: Manifest };
  declaration: (wabaId: string) => ReturnType<typeof declareTemplate>;
};

/** Checked as the API server would check it. */
function toManifest(template: Template, name: string, accountName: string): AdoptedTemplate | { why: string } {
  const adopted = adoptTemplate(template, accountName);
  if ("why" in adopted) return adopted;
  const document = manifest("WhatsAppTemplate", name, adopted.spec);
  const checked = checkDocument(document);
  if ("faults" in checked) return { why: checked.faults.join("; ") };
  const { resource } = checked;
  if (resource.kind !== "WhatsAppTemplate") throw new Error(`a ${resource.kind} was made of template ${template.name}`);
  return {
    page: { part: "templates", document, comment: `WhatsApp says ${template.status}.` },
    declaration: (wabaId) => declareTemplate(resource, { spec: { wabaId } }),
  };
}

function observing(page: Page & { document: Manifest }, differences: readonly { field: string }[]): Page {
  const fields = differences.map(({ field }) => field).join(", ");
  const { document, comment } = page;
  return {
    part: page.part,
    document: { ...document, spec: { ...document.spec, managementPolicy: "Observe" } },
    comment: `${comment} Not said just so by a WhatsAppTemplate (${fields}): with managementPolicy Enforce it would be edited.`,
  };
}

function documentsOf({ pages }: AdoptedAccount): Manifest[] {
  return pages.flatMap(({ document }) => (document === undefined ? [] : [document]));
}

/** kubectl reads YAML 1.1, in which an unquoted Yes, or the language no, is a boolean. */
const yaml = { version: "1.1", lineWidth: 0 } as const;

function textOf(pages: readonly Page[]): string {
  return pages
    .map(({ document, comment }) => {
      const head = comment.replaceAll(/^/gm, "# ");
      return document === undefined ? `${head}\n` : `${head}\n${stringify(document, yaml)}`;
    })
    .join("---\n");
}

function writeFiles(folder: string, adopted: readonly AdoptedAccount[], { out }: Context): void {
  mkdirSync(folder, { recursive: true });
  for (const { name, pages } of adopted) {
    for (const part of ["account", "numbers", "templates"] as const) {
      const own = pages.filter((page) => page.part === part);
      if (own.length === 0) continue;
      const path = join(folder, `${name}-${part}.yaml`);
      writeNew(path, textOf(own));
      out(`${path}: ${own.filter(({ document }) => document !== undefined).length} resources`);
    }
  }
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST") throw error;
    throw new UsageError(`${path} exists already; name another folder with --out`, { cause: error });
  }
}
