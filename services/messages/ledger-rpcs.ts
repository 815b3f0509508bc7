// The RPCs that move messages, in the order of the contract.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import type { Handlers } from "#lib/grpc.ts";
import type { Queryable } from "#lib/postgres.ts";
import type {
  ClaimRequest,
  ClaimResponseSchema,
  MessagesService,
  SendRequest,
  SendResponseSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Claims, createClaims } from "./claims.ts";
import type { Days } from "./days.ts";
import { type Acceptance, decideAccept } from "./domain/accept.ts";
import { isHolder } from "./domain/lease.ts";
import { timeOfMessageId } from "./domain/partitions.ts";
import type { Ledger } from "./ledger.ts";
import type { Metrics } from "./metrics.ts";
import type { QueueCounts } from "./queue-counts.ts";
import type { Register } from "./register.ts";
import { resolveIngest } from "./resolve.ts";
import { loadWamids } from "./store/claim.ts";
import { parseBegin, parseCount, parseFinish, parseMessageId, parsePhoneNumberId, parseSend } from "./wire.ts";
import { parseIngest } from "./wire-ingest.ts";
import { toClaimed } from "./wire-out.ts";

export type LedgerDependencies = {
  db: Queryable;
  ledger: Ledger;
  register: Register;
  days: Days;
  counts: QueueCounts;
  metrics: Metrics;
  now: () => Date;
};

const overloadedRetryMs = 5_000;
/** In each lane: an answer must stay well below the limit of a gRPC message. */
const maxClaimed = 250;
// Nobody tells when a quoted message was sent at last, so its quotes are claimed for again after this long.
const quotesDueMs = 1_000;

export function ledgerHandlers(dependencies: LedgerDependencies) {
  const { db, ledger, register, now } = dependencies;
  const claims = createClaims(db);
  return {
    send: (request) => send(dependencies, request),

    claim: (request) => claim(dependencies, claims, request),

    async begin(request) {
      return { messageIds: await ledger.begin(parseBegin(request)) };
    },

    async finish(request) {
      await ledger.finish(parseFinish(request, now()));
      return {};
    },

    async ingest(request) {
      const item = parseIngest(request, now());
      await ledger.ingest(await resolveIngest(item, { db, register }));
      return {};
    },
  } satisfies Handlers<typeof MessagesService>;
}

async function send(
  { ledger, register, days, counts, metrics, now }: LedgerDependencies,
  request: SendRequest,
): Promise<MessageInitShape<typeof SendResponseSchema>> {
  const startedAt = performance.now();
  const { sending, idempotency } = parseSend(request);
  const { phoneNumberId } = sending;
  const number = (await register.find(phoneNumberId))?.number;
  const at = now();
  const queued = number === undefined ? 0 : await counts.estimate(phoneNumberId, number.spec.queueLimit);
  const acceptance = decideAccept(sending, { number, queued, now: at });
  if (acceptance.kind === "refused") {
    metrics.refused.inc({ reason: acceptance.reason });
    throw faultOf(acceptance.reason, phoneNumberId);
  }
  const { message } = acceptance;
  await days.ensure(timeOfMessageId(message.messageId) ?? at);
  const { messageId, acceptedAt, repeated } = await ledger.send({ kind: "send", message, idempotency });
  if (!repeated) counts.add(phoneNumberId);
  metrics.acceptSeconds.observe((performance.now() - startedAt) / 1_000);
  return { messageId, acceptedAt: timestampFromDate(acceptedAt), repeated };
}

async function claim(
  { db, days, now }: LedgerDependencies,
  claims: Claims,
  request: ClaimRequest,
): Promise<MessageInitShape<typeof ClaimResponseSchema>> {
  const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
  const term = parseCount("term", request.term);
  const heldMessageIds = request.heldMessageIds.map(parseMessageId);
  const replyLimit = Math.min(request.replyLimit, maxClaimed);
  const bulkLimit = Math.min(request.bulkLimit, maxClaimed);
  const at = now();
  const asked = { phoneNumberId, heldMessageIds, replyLimit, bulkLimit, now: at, floor: days.floor() };
  const { frame, rows, moreUsersInMs } = await claims(asked);
  if (!isHolder(frame.lease, term)) throw fenced(phoneNumberId, term);
  const wamids = await loadWamids(
    db,
    rows.flatMap(({ context_message_id }) => context_message_id ?? []),
  );
  const quotesDueAt = frame.hasDueQuotes ? new Date(at.getTime() + quotesDueMs) : undefined;
  const usersDueAt = moreUsersInMs === undefined ? undefined : new Date(at.getTime() + moreUsersInMs);
  const nextDueAt = earlier(earlier(frame.nextDueAt, quotesDueAt), usersDueAt);
  return {
    messages: rows.map((row) => {
      const quoted = row.context_message_id;
      return toClaimed(row, quoted === null ? row.context_wamid : (wamids.get(quoted) ?? ""));
    }),
    ...(nextDueAt !== undefined && { nextDueAt: timestampFromDate(nextDueAt) }),
  };
}

export function fenced(phoneNumberId: string, term: number): ServiceError {
  return new ServiceError("FAILED_PRECONDITION", "fenced", `term ${term} of number ${phoneNumberId} is over`);
}

export function faultOf(
  reason: Extract<Acceptance, { kind: "refused" }>["reason"],
  phoneNumberId: string,
): ServiceError {
  switch (reason) {
    case "number_unknown":
      return numberUnknown(phoneNumberId);
    case "overloaded":
      return new ServiceError("RESOURCE_EXHAUSTED", reason, `number ${phoneNumberId} has its queue limit of messages`, {
        retryAfterMs: overloadedRetryMs,
      });
    case "message_id_out_of_time":
      return new ServiceError("INVALID_ARGUMENT", reason, "message_id is no version 7 UUID of within a day of now");
  }
}

export function numberUnknown(phoneNumberId: string): ServiceError {
  return new ServiceError("NOT_FOUND", "number_unknown", `number ${phoneNumberId} is not declared`);
}

function earlier(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
