// Loads what a verdict about messages rests on: the ledger's own facts, and those of the peers that admission asks. Reads only:
// quality is asked for a preview, where a claimed message would take a place. A peer that is away leaves its facts out.
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Facts } from "#admission/domain/admission.ts";
import { laneOf } from "#admission/domain/lane.ts";
import { type Ask, type Candidate, factsDeadlineMs, gatherFacts, loadTemplateFacts } from "#admission/facts.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { type GetPaceResponse, UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { Days } from "./days.ts";
import { decideAccept } from "./domain/accept.ts";
import type { Known, Pace, Situation, TemplateCheck } from "./domain/explain.ts";
import type { Headroom } from "./domain/explain-summary.ts";
import { faultOf, numberUnknown } from "./ledger-rpcs.ts";
import type { Entry, Register } from "./register.ts";
import { countQueued } from "./store/claim.ts";
import { countDue, loadLastInbound, loadRecipientWaits } from "./store/explain.ts";
import type { Asked, AskedMessage } from "./wire-explain.ts";

export type ExplainDependencies = {
  db: Queryable;
  register: Pick<Register, "find">;
  days: Pick<Days, "floor">;
  templates: Client<typeof TemplatesService>;
  billing: Client<typeof BillingService>;
  quality: Client<typeof QualityService>;
  ask: Ask;
  /** For connection processes. */
  tls: GrpcTls | undefined;
  now: () => Date;
  log: Log;
};

/** `headroom` is undefined when no message would start a conversation, or quality does not answer. */
export type Loaded = Situation & { headroom: Headroom | undefined };

/** Throws number_unknown. */
export async function loadSituation(dependencies: ExplainDependencies, asked: Asked, now: Date): Promise<Loaded> {
  const { phoneNumberId, messages } = asked;
  const entry = await dependencies.register.find(phoneNumberId);
  if (entry === undefined) throw numberUnknown(phoneNumberId);
  const [own, checks, told] = await Promise.all([
    loadOwn(dependencies, entry, asked, now),
    checkTemplates(dependencies, entry.number.wabaId, messages),
    askPace(dependencies, entry, asked),
  ]);
  const accepted = messages.map(({ sending }, at) => accept(sending, entry, own.queued + at, now));
  const candidates = messages.map(({ sending, content }, at): Candidate => ({
    messageId: sending.messageId,
    recipient: sending.recipient,
    subject: { kind: content.kind.case ?? "unsupported", expiresAt: accepted[at]?.expiresAt },
    message: { content, ...lastInbound(own.lastInbound.get(sending.recipient)) },
  }));
  // What is refused before it would be accepted takes no place of the limit.
  const judged = candidates.filter((_, at) => checks[at]?.kind !== "refused" && accepted[at] !== undefined);
  const { facts, headroom, freeAt } = await askAdmission(dependencies, entry, judged);
  return {
    ahead: own.ahead,
    pace: toPace(entry, told),
    headroom,
    messages: candidates.map((candidate, at): Known => {
      const { messageId, recipient, subject } = candidate;
      const fact = facts.get(candidate) ?? {};
      const lane = laneOf(messages[at]?.lane, categoryOf(fact, messages[at]?.sending.category));
      return {
        recipient,
        lane,
        subject,
        check: checks[at],
        isOverloaded: accepted[at] === undefined,
        facts: fact,
        limitFreeAt: freeAt.get(messageId),
        pairWaitMs: told?.pairWaitMs[at] ?? 0,
        heldUntil: own.heldUntil.get(`${lane}:${recipient}`),
      };
    }),
  };
}

function lastInbound(at: Date | undefined): Pick<Candidate["message"], "lastInboundAt"> {
  return at === undefined ? {} : { lastInboundAt: timestampFromDate(at) };
}

function categoryOf({ template }: Facts, given = ""): string {
  return template?.state === "known" ? template.category : given;
}

/** As Send decides; undefined: the number's queue is full. */
function accept(sending: AskedMessage["sending"], { number }: Entry, queued: number, now: Date) {
  const acceptance = decideAccept(sending, { number, queued, now });
  if (acceptance.kind === "accepted") return acceptance.message;
  if (acceptance.reason === "overloaded") return undefined;
  throw faultOf(acceptance.reason, number.phoneNumberId);
}

type Own = {
  queued: number;
  ahead: Situation["ahead"];
  lastInbound: Map<string, Date>;
  /** By lane and user. */
  heldUntil: Map<string, Date>;
};

async function loadOwn(
  { db, days }: ExplainDependencies,
  { number }: Entry,
  { phoneNumberId, messages }: Asked,
  now: Date,
): Promise<Own> {
  const recipients = [...new Set(messages.map(({ sending }) => sending.recipient))];
  const most = number.spec.queueLimit;
  const [queued, ahead, lastInbound, waits] = await Promise.all([
    countQueued(db, phoneNumberId, most),
    countDue(db, { phoneNumberId, now, most }),
    loadLastInbound(db, phoneNumberId, recipients),
    loadRecipientWaits(db, { phoneNumberId, recipients, now, floor: days.floor() }),
  ]);
  const heldUntil = new Map(waits.map(({ lane, recipient, until }) => [`${lane}:${recipient}`, until]));
  return { queued, ahead, lastInbound, heldUntil };
}

/** In the order given. Messages of one wording are one question. */
async function checkTemplates(
  { templates, ask }: ExplainDependencies,
  wabaId: string,
  messages: readonly AskedMessage[],
): Promise<(TemplateCheck | undefined)[]> {
  const wordings = new Map(
    messages.flatMap(({ content, wording }) =>
      content.kind.case === "template" ? [[wording, content.kind.value]] : [],
    ),
  );
  if (wordings.size === 0) return [];
  const request = { wabaId, messages: [...wordings.values()] };
  const answer = await ask("templates", () =>
    templates.batchCheckTemplateMessages(request, { deadlineMs: factsDeadlineMs }),
  );
  const checks = new Map(
    [...wordings.keys()].map((wording, at): [string, TemplateCheck] => {
      const verdict = answer?.checks[at]?.verdict;
      if (verdict?.case === undefined) return [wording, { kind: "unknown" }];
      return [
        wording,
        verdict.case === "sendable" ? { kind: "fits" } : { kind: "refused", ...refusalOf(verdict.value) },
      ];
    }),
  );
  return messages.map(({ wording }) => checks.get(wording));
}

function refusalOf({ reason, details }: { reason: string; details: string }): { reason: string; details: string } {
  return { reason, details };
}

async function askAdmission(
  { templates, billing, quality, ask, now }: ExplainDependencies,
  { number }: Entry,
  candidates: readonly Candidate[],
) {
  const { phoneNumberId, wabaId } = number;
  const freeAt = new Map<string, Date>();
  let headroom: Headroom | undefined;
  const facts = await gatherFacts(candidates, {
    phoneNumberId,
    wabaId,
    templates: (account, names) => loadTemplateFacts(templates, account, names),
    billing,
    async limits(items) {
      const request = { phoneNumberId, items: [...items] };
      const preview = await quality.previewReserve(request, { deadlineMs: factsDeadlineMs });
      const { messagingLimit: limit, used, usedAfter } = preview;
      headroom = {
        limit: limit === undefined ? undefined : Number(limit),
        used: Number(used),
        usedAfter: Number(usedAfter),
      };
      for (const { messageId, verdict } of preview.results) {
        if (verdict.case !== "refusal" || verdict.value.earliestAt === undefined) continue;
        freeAt.set(messageId, timestampDate(verdict.value.earliestAt));
      }
      return preview.results;
    },
    ask,
    now,
  });
  return { facts: new Map(candidates.map((candidate, at) => [candidate, facts[at] ?? {}])), headroom, freeAt };
}

/** Undefined when the number is not connected, or its connection does not answer. */
async function askPace(
  { tls, log }: ExplainDependencies,
  { connection }: Entry,
  { messages }: Asked,
): Promise<GetPaceResponse | undefined> {
  if (connection?.connected !== true) return undefined;
  const recipients = messages.map(({ sending }) => sending.recipient);
  try {
    await using upstream = createClient(UpstreamService, connection.address, { deadlineMs: factsDeadlineMs, tls });
    return await upstream.getPace({ recipients });
  } catch (error) {
    log.info({ err: error, address: connection.address }, "connection does not tell its pace");
    return undefined;
  }
}

function toPace({ connection }: Entry, told: GetPaceResponse | undefined): Pace {
  if (connection?.connected !== true) return { state: "disconnected" };
  if (told === undefined) return { state: "away" };
  const { messagesPerSecond, restingReason, restingMs } = told;
  return { state: "known", messagesPerSecond: Math.max(1, messagesPerSecond), restingReason, restingMs };
}
