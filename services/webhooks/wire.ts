// Proto to checked input, values to proto.
import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { isUsableSecret } from "#dialects/signature.ts";
import {
  DeliverySchema,
  type Delivery as DeliveryMessage,
  DeliveryState as DeliveryStateEnum,
  Dialect,
  EventKind as EventKindEnum,
  type ListDeliveriesRequest,
  SubscriptionSchema,
  SubscriptionStatusSchema,
  type Subscription as SubscriptionMessage,
  type SubscriptionStatus as SubscriptionStatusMessage,
} from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { pauseOf } from "./domain/health.ts";
import type { EventKind } from "./domain/matching.ts";
import { validSecrets } from "./domain/secrets.ts";
import type { Backlog, Delivery, DeliveryState } from "./history-store.ts";
import type { Described, SubscriptionSpec } from "./subscription-store.ts";

const kindToProto = {
  messages: EventKindEnum.MESSAGES,
  statuses: EventKindEnum.STATUSES,
  account: EventKindEnum.ACCOUNT,
} satisfies Record<EventKind, EventKindEnum>;

const kindFromProto = new Map<EventKindEnum, EventKind>([
  [EventKindEnum.MESSAGES, "messages"],
  [EventKindEnum.STATUSES, "statuses"],
  [EventKindEnum.ACCOUNT, "account"],
]);

const stateToProto = {
  waiting: DeliveryStateEnum.WAITING,
  delivered: DeliveryStateEnum.DELIVERED,
  dead: DeliveryStateEnum.DEAD,
} satisfies Record<DeliveryState, DeliveryStateEnum>;

const stateFromProto = new Map<DeliveryStateEnum, DeliveryState>([
  [DeliveryStateEnum.WAITING, "waiting"],
  [DeliveryStateEnum.DELIVERED, "delivered"],
  [DeliveryStateEnum.DEAD, "dead"],
]);

const defaults = { keepTryingSeconds: 345_600, timeoutMs: 15_000, concurrency: 16 };
const longest = {
  name: 512,
  url: 2_048,
  keepTryingSeconds: 2_592_000,
  timeoutMs: 60_000,
  concurrency: 256,
  ids: 1_000,
  secrets: 10,
};
const shortestTimeoutMs = 100;
// What a protobuf timestamp may say; beyond, a Date or Postgres does not hold it.
const earliest = new Date("0001-01-01T00:00:00Z");
const latest = new Date("+010000-01-01T00:00:00Z");

function invalid(message: string): ServiceError {
  return new ServiceError("INVALID_ARGUMENT", "subscription_invalid", message);
}

/** Fills in the defaults. Throws INVALID_ARGUMENT `subscription_invalid`, UNIMPLEMENTED `dialect_not_built`. */
export function parseSubscription(message: SubscriptionMessage | undefined): SubscriptionSpec {
  if (message === undefined) throw invalid("no subscription given");
  const { name } = message;
  if (!/^\S+$/.test(name) || name.length > longest.name)
    throw invalid("the subscription's name is empty, too long or has blanks");
  if (message.secrets.length > longest.secrets || message.secrets.includes("")) {
    throw invalid(`subscription ${name} has an empty secret or more than ${longest.secrets}`);
  }
  if (message.secrets.some((secret) => !isUsableSecret(secret)))
    throw invalid(`subscription ${name} has a secret that begins with whsec_ and is not 24 to 64 bytes in base64`);
  return {
    name,
    url: parseUrl(message),
    dialect: parseDialect(message),
    events: message.events.map((kind) => {
      const event = kindFromProto.get(kind);
      if (event === undefined) throw invalid(`subscription ${name} has an unknown event kind ${kind}`);
      return event;
    }),
    phoneNumberIds: parseIds(name, "phone_number_ids", message.phoneNumberIds),
    wabaIds: parseIds(name, "waba_ids", message.wabaIds),
    secrets: message.secrets,
    previousSecretsEndAt: parseSecretsEnd(message),
    keepTryingSeconds: within(
      name,
      "keep_trying_seconds",
      message.keepTryingSeconds || defaults.keepTryingSeconds,
      1,
      longest.keepTryingSeconds,
    ),
    timeoutMs: within(
      name,
      "timeout_ms",
      message.timeoutMs || defaults.timeoutMs,
      shortestTimeoutMs,
      longest.timeoutMs,
    ),
    concurrency: within(name, "concurrency", message.concurrency || defaults.concurrency, 1, longest.concurrency),
  };
}

function parseUrl({ name, url }: SubscriptionMessage): string {
  const parsed = URL.parse(url);
  if (parsed === null || url.length > longest.url) throw invalid(`subscription ${name} has no usable url`);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:")
    throw invalid(`subscription ${name}: url must be http or https`);
  if (parsed.username !== "" || parsed.password !== "")
    throw invalid(`subscription ${name}: url must not have a user or password`);
  return parsed.href;
}

function parseSecretsEnd({ name, previousSecretsEndAt }: SubscriptionMessage): Date | undefined {
  if (previousSecretsEndAt === undefined) return undefined;
  const at = timestampDate(previousSecretsEndAt);
  if (at >= earliest && at < latest) return at;
  throw invalid(`subscription ${name}: previous_secrets_end_at is not a time of the years 1 to 9999`);
}

function parseDialect({ name, dialect }: SubscriptionMessage): "cloud" {
  if (dialect === Dialect.UNSPECIFIED || dialect === Dialect.CLOUD) return "cloud";
  if (dialect === Dialect.ON_PREMISES || dialect === Dialect.NATIVE) {
    throw new ServiceError(
      "UNIMPLEMENTED",
      "dialect_not_built",
      `subscription ${name}: only the cloud dialect is built`,
    );
  }
  throw invalid(`subscription ${name} has an unknown dialect ${dialect}`);
}

function parseIds(name: string, field: string, ids: string[]): string[] {
  const wrong = ids.find((id) => !/^\d{1,32}$/.test(id));
  if (wrong !== undefined)
    throw invalid(`subscription ${name}: ${field} has ${JSON.stringify(wrong)}, expected digits`);
  if (ids.length > longest.ids) throw invalid(`subscription ${name}: ${field} has more than ${longest.ids} ids`);
  return ids;
}

function within(name: string, field: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw invalid(`subscription ${name}: ${field} is ${value}, expected ${least} to ${most}`);
}

/** Without its secrets. */
export function toSubscription(spec: SubscriptionSpec): SubscriptionMessage {
  return create(SubscriptionSchema, {
    name: spec.name,
    url: spec.url,
    dialect: Dialect.CLOUD,
    events: spec.events.map((kind) => kindToProto[kind]),
    phoneNumberIds: spec.phoneNumberIds,
    wabaIds: spec.wabaIds,
    keepTryingSeconds: spec.keepTryingSeconds,
    timeoutMs: spec.timeoutMs,
    concurrency: spec.concurrency,
    ...timestamps({ previousSecretsEndAt: spec.previousSecretsEndAt }),
  });
}

export function toStatus(
  { subscription, status }: Described,
  { backlog, dead }: { backlog: Backlog | undefined; dead: number },
  now: Date,
): SubscriptionStatusMessage {
  return create(SubscriptionStatusSchema, {
    waiting: BigInt(backlog?.waiting ?? 0),
    dead: BigInt(dead),
    validSecrets: validSecrets(subscription, now).length,
    lastFailure: status.lastFailure ?? "",
    ...timestamps({
      oldestWaitingAt: backlog?.oldestWaitingAt,
      lastSuccessAt: status.lastSuccessAt,
      lastFailureAt: status.lastFailureAt,
      pausedUntil: pauseOf(status, now),
    }),
  });
}

type DeliveryQuery = {
  name: string;
  state: DeliveryState | undefined;
  before: number | undefined;
  limit: number;
};

const page = { usual: 50, largest: 500 };

/** Throws INVALID_ARGUMENT `query_invalid`. */
export function parseDeliveryQuery({ subscription, state, pageSize, pageToken }: ListDeliveriesRequest): DeliveryQuery {
  const known = stateFromProto.get(state);
  if (state !== DeliveryStateEnum.UNSPECIFIED && known === undefined) {
    throw new ServiceError("INVALID_ARGUMENT", "query_invalid", `unknown delivery state ${state}`);
  }
  if (!/^\d{0,15}$/.test(pageToken))
    throw new ServiceError("INVALID_ARGUMENT", "query_invalid", "page_token is not one of ours");
  return {
    name: subscription,
    state: known,
    before: pageToken === "" ? undefined : Number(pageToken),
    limit: Math.min(pageSize || page.usual, page.largest),
  };
}

export function toDelivery(subscription: string, delivery: Delivery): DeliveryMessage {
  const { deliveryId, eventId, state, attempts, createdAt, dueAt, finishedAt, lastFailure } = delivery;
  return create(DeliverySchema, {
    deliveryId: BigInt(deliveryId),
    subscription,
    eventId,
    state: stateToProto[state],
    attempts,
    lastFailure: lastFailure ?? "",
    ...timestamps({ createdAt, dueAt, finishedAt }),
  });
}

function timestamps<Name extends string>(dates: Record<Name, Date | undefined>) {
  const given = Object.entries<Date | undefined>(dates).flatMap(([name, date]) =>
    date === undefined ? [] : [[name, timestampFromDate(date)] as const],
  );
  return Object.fromEntries(given);
}
