// The Upstream service: what others ask of WhatsApp goes through the process that holds the number. Only the holder answers, also
// while WhatsApp does not know the number as registered: registering is one of the things that are asked.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { type Handlers, serve } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { Number } from "#proto/heliograph/messages/v1/messages_pb.ts";
import {
  checkToken,
  getAccount,
  getBusinessId,
  listSubscribedApps,
  subscribeApp,
  unsubscribeApp,
} from "./account-calls.ts";
import type { Look } from "./domain/outcome.ts";
import { deregister, getPhoneNumber, listPhoneNumbers, markRead, register, toLook } from "./number-calls.ts";
import { createTemplate, deleteTemplate, editTemplate, listTemplates } from "./template-calls.ts";
import type { Pace } from "./throttle.ts";
import type { Token } from "./token.ts";
import type { Upstream } from "./upstream.ts";
import {
  checkFilled,
  parseNewTemplate,
  parsePin,
  parseTemplateChange,
  toAccount,
  toCheckedToken,
  toListedNumber,
  toPhoneNumber,
  toSubscribedApp,
  toUpstreamTemplate,
} from "./upstream-wire.ts";

type Options = {
  phoneNumberId: string;
  upstream: Upstream;
  token: Token;
  /** The number while its lease is held. */
  number: () => Number | undefined;
  /** How messages to these users would be paced; undefined while nothing is sent from here. */
  pace: (recipients: readonly string[]) => Pace | undefined;
  /** What a call showed of the number itself. */
  onLook: (look: Look) => void;
  now: () => Date;
};

type Handling = Options & {
  /** Throws number_disconnected where the lease is not held. */
  wabaId: () => string;
};
type UpstreamHandlers = Handlers<typeof UpstreamService>;

export function upstreamServer(options: Options) {
  const { phoneNumberId, number } = options;
  function wabaId(): string {
    const held = number();
    if (held !== undefined) return held.wabaId;
    throw disconnected(phoneNumberId);
  }
  const handling = { ...options, wabaId };
  return serve(UpstreamService, {
    ...numberHandlers(handling),
    ...templateHandlers(handling),
    ...accountHandlers(handling),
  });
}

/** What is about the number itself. */
function numberHandlers({ phoneNumberId, upstream, wabaId, pace, onLook, now }: Handling): UpstreamHandlers {
  /** What is read while one is done tells of the time before. */
  let registrations = 0;
  return {
    async getPhoneNumber(_, { signal }) {
      const account = wabaId();
      const before = registrations;
      const [facts, businessId] = await Promise.all([
        getPhoneNumber(upstream, phoneNumberId, signal),
        getBusinessId(upstream, account, signal),
      ]);
      if (registrations === before) onLook(toLook(facts));
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
      checkFilled({ wamid });
      await markRead(upstream, { phoneNumberId, wamid, typing, signal });
      return {};
    },
    async register({ pin }, { signal }) {
      wabaId();
      await register(upstream, { phoneNumberId, pin: parsePin(pin), signal });
      registrations += 1;
      onLook({ kind: "registered" });
      return {};
    },
    async deregister(_, { signal }) {
      wabaId();
      await deregister(upstream, { phoneNumberId, signal });
      registrations += 1;
      onLook({ kind: "deregistered" });
      return {};
    },
    async getPace({ recipients }) {
      wabaId();
      return pace(recipients) ?? Promise.reject(disconnected(phoneNumberId));
    },
  };
}

/** What is about the templates of its account. */
function templateHandlers({ upstream, wabaId }: Handling): UpstreamHandlers {
  return {
    async listTemplates(_, { signal }) {
      const account = wabaId();
      const templates = await listTemplates(upstream, account, signal);
      return { wabaId: account, templates: templates.map(toUpstreamTemplate) };
    },
    async createTemplate(request, { signal }) {
      const account = wabaId();
      const { id, status, category } = await createTemplate(upstream, account, parseNewTemplate(request), signal);
      return { templateId: id, status, category };
    },
    async editTemplate(request, { signal }) {
      wabaId();
      await editTemplate(upstream, request.templateId, parseTemplateChange(request), signal);
      return {};
    },
    async deleteTemplate({ name, templateId }, { signal }) {
      const account = wabaId();
      checkFilled({ name });
      await deleteTemplate(upstream, account, { name, templateId }, signal);
      return {};
    },
  };
}

/** What is about its account and the token. */
function accountHandlers({ upstream, token, wabaId, now }: Handling): UpstreamHandlers {
  return {
    async listPhoneNumbers(_, { signal }) {
      const account = wabaId();
      const numbers = await listPhoneNumbers(upstream, account, signal);
      return { wabaId: account, phoneNumbers: numbers.map(toListedNumber) };
    },
    async getAccount(_, { signal }) {
      const account = wabaId();
      const facts = await getAccount(upstream, account, signal);
      return { ...toAccount(account, facts), observedAt: timestampFromDate(now()) };
    },
    async listSubscribedApps(_, { signal }) {
      const account = wabaId();
      const apps = await listSubscribedApps(upstream, account, signal);
      return { wabaId: account, apps: apps.map(toSubscribedApp) };
    },
    async subscribeApp(_, { signal }) {
      await subscribeApp(upstream, wabaId(), signal);
      return {};
    },
    async unsubscribeApp(_, { signal }) {
      await unsubscribeApp(upstream, wabaId(), signal);
      return {};
    },
    async checkToken(_, { signal }) {
      return toCheckedToken(await checkToken(upstream, { wabaId: wabaId(), token: token.current(), signal }));
    },
  };
}

function disconnected(phoneNumberId: string): ServiceError {
  return new ServiceError(
    "FAILED_PRECONDITION",
    "number_disconnected",
    `this process does not hold number ${phoneNumberId}`,
  );
}
