// The Upstream service: what others ask of WhatsApp goes through the process that holds the number. Only the holder answers.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { serve } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { Number } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { getBusinessId, getPhoneNumber, listTemplates, markRead } from "./management.ts";
import type { Upstream } from "./upstream.ts";
import { toPhoneNumber, toUpstreamTemplate } from "./wire.ts";

type Options = {
  phoneNumberId: string;
  upstream: Upstream;
  /** The number while its lease is held. */
  number: () => Number | undefined;
  now: () => Date;
};

export function upstreamServer({ phoneNumberId, upstream, number, now }: Options) {
  function wabaId(): string {
    const held = number();
    if (held !== undefined) return held.wabaId;
    throw new ServiceError(
      "FAILED_PRECONDITION",
      "number_disconnected",
      `this process does not hold number ${phoneNumberId}`,
    );
  }

  return serve(UpstreamService, {
    async listTemplates(_, { signal }) {
      const account = wabaId();
      const templates = await listTemplates(upstream, account, signal);
      return { wabaId: account, templates: templates.map(toUpstreamTemplate) };
    },
    async getPhoneNumber(_, { signal }) {
      const account = wabaId();
      const [facts, businessId] = await Promise.all([
        getPhoneNumber(upstream, phoneNumberId, signal),
        getBusinessId(upstream, account, signal),
      ]);
      return {
        ...toPhoneNumber(facts),
        phoneNumberId,
        wabaId: account,
        businessId,
        observedAt: timestampFromDate(now()),
      };
    },
    async markRead({ wamid, typing }, { signal }) {
      wabaId();
      if (wamid === "") throw new ServiceError("INVALID_ARGUMENT", "wamid_missing", "wamid is empty");
      await markRead(upstream, { phoneNumberId, wamid, typing, signal });
      return {};
    },
  });
}
