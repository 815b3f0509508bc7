// The RPCs of templates.
import { ServiceError } from "#lib/errors.ts";
import { type Handlers, serve } from "#lib/grpc.ts";
import type { Pool } from "#lib/postgres.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { AccountUpstream } from "./account-upstream.ts";
import { templateChanges } from "./changes.ts";
import { decideEdit, isPresent } from "./domain/change.ts";
import { checkParameters, checkState } from "./domain/check.ts";
import { differences } from "./domain/difference.ts";
import { render } from "./domain/render.ts";
import {
  type AccountTemplateKey,
  loadTemplateById,
  loadTemplates,
  loadTemplatesByKey,
  type StoredTemplate,
} from "./store.ts";
import type { Sync } from "./sync.ts";
import { parseFilled, parseSend, type TemplateSend, toCheckResponse, toShape, toTemplate } from "./wire.ts";
import { parseChange, parseKey, parseNewTemplate, toDeclaration, toGetResponse, toObserved } from "./wire-changes.ts";

type Dependencies = { db: Pool; sync: Sync; upstream: AccountUpstream; now: () => Date };

export function templatesServer({ db, sync, upstream, now }: Dependencies) {
  return serve(TemplatesService, {
    async listTemplates({ wabaId, name, status }) {
      const templates = await loadTemplates(db, { ...parseFilled({ wabaId }), name, status });
      return { templates: templates.map(toTemplate) };
    },

    async batchGetTemplates({ keys }) {
      const asked = keys.map(({ wabaId, name, language }) => parseFilled({ wabaId, name, language }));
      const templates = await loadTemplatesByKey(db, asked);
      return { templates: templates.map(toTemplate) };
    },

    async checkTemplateMessage(request) {
      const send = parseSend(request);
      return check(send, await loadTemplatesByKey(db, [send.key]));
    },

    async batchCheckTemplateMessages({ wabaId, messages }) {
      const sends = messages.map((message) => parseSend({ wabaId, message }));
      const templates = await loadTemplatesByKey(
        db,
        sends.map(({ key }) => key),
      );
      return { checks: sends.map((send) => check(send, templates)) };
    },

    async renderTemplateMessage(request) {
      const { key, components } = parseSend(request);
      const [template] = await loadTemplatesByKey(db, [key]);
      if (template === undefined) {
        throw new ServiceError(
          "NOT_FOUND",
          "template_missing",
          `template ${key.name} in ${key.language} does not exist`,
        );
      }
      const shape = toShape(template);
      const refusal = checkParameters(shape, components);
      if (refusal !== undefined) throw new ServiceError("INVALID_ARGUMENT", "template_parameters", refusal.details);
      return render(shape, components);
    },

    async syncTemplates(request) {
      const { wabaId } = parseFilled({ wabaId: request.wabaId });
      return { templates: await sync.syncAccount(wabaId) };
    },
    ...changeHandlers({ db, sync, upstream, now }),
  });
}

/** What a template is beside what someone declares it to be, and its changes. */
function changeHandlers({ db, sync, upstream, now }: Dependencies): Handlers<typeof TemplatesService> {
  const changes = templateChanges({ db, upstream, now, onDue: () => sync.wake() });

  async function getTemplate(key: AccountTemplateKey): Promise<StoredTemplate> {
    const [template] = await loadTemplatesByKey(db, [key]);
    return checkPresent(template, `${key.name} in ${key.language}`);
  }

  return {
    async getTemplate({ key, declared }) {
      const template = await getTemplate(parseKey(key, "needed"));
      const found = differences(toDeclaration(declared), toObserved(template));
      return toGetResponse(template, found, decideEdit(template, { category: "" }, now()));
    },

    async createTemplate(request) {
      return { template: toTemplate(await changes.create(parseNewTemplate(request.template))) };
    },

    async editTemplate(request) {
      const change = parseChange(request.template);
      const templateId = request.template?.templateId ?? "";
      const template =
        templateId === ""
          ? await getTemplate(parseKey(request.template, "needed"))
          : checkPresent(await loadTemplateById(db, templateId), templateId);
      return { template: toTemplate(await changes.edit(template, change)) };
    },

    async deleteTemplate({ key }) {
      await changes.remove(parseKey(key, "optional"));
      return {};
    },
  };
}

/** Throws template_missing. */
function checkPresent(template: StoredTemplate | undefined, name: string): StoredTemplate {
  if (template !== undefined && isPresent(template.status)) return template;
  throw new ServiceError("NOT_FOUND", "template_missing", `template ${name} does not exist`);
}

function check({ key, components }: TemplateSend, templates: readonly StoredTemplate[]) {
  const template = templates.find(({ name, language }) => name === key.name && language === key.language);
  const refusal =
    checkState(template?.status, key.name, key.language) ??
    (template && checkParameters(toShape(template), components));
  return toCheckResponse(template?.category ?? "", refusal);
}
