// The RPCs of templates.
import { ServiceError } from "#lib/errors.ts";
import { serve } from "#lib/grpc.ts";
import type { Queryable } from "#lib/postgres.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { checkParameters, checkState } from "./domain/check.ts";
import { render } from "./domain/render.ts";
import { loadTemplates, loadTemplatesByKey } from "./store.ts";
import type { Sync } from "./sync.ts";
import { parseFilled, parseSend, toCheckResponse, toShape, toTemplate } from "./wire.ts";

type Dependencies = { db: Queryable; sync: Sync };

export function templatesServer({ db, sync }: Dependencies) {
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
      const { key, components } = parseSend(request);
      const [template] = await loadTemplatesByKey(db, [key]);
      const refusal =
        checkState(template?.status, key.name, key.language) ??
        (template && checkParameters(toShape(template), components));
      return toCheckResponse(template?.category ?? "", refusal);
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
  });
}
