// One commit of the ledger: load what the items touch, decide, save. Statements of a beat go out together, without waiting for
// each other. Locks are taken in one order everywhere: leases, messages, keys, inbound, contacts, each by its key.
import { ServiceError } from "#lib/errors.ts";
import { faultPoint, isSwitchedOff } from "#lib/fault-points.ts";
import { enqueue } from "#lib/outbox.ts";
import type { Queryable } from "#lib/postgres.ts";
import { type Answer, decideBatch, type Decision, type Item, keyOf, type Loaded } from "./domain/batch.ts";
import { decideContacts, type InboundMessage } from "./domain/inbound.ts";
import { accountEvent, inboundReceived, messageEvent, statusPassed } from "./events.ts";
import type { Register } from "./register.ts";
import {
  deleteContents,
  insertContents,
  insertInbound,
  insertMessages,
  insertUnparsed,
  type KeyClaim,
  lockMessages,
  markBatch,
  reserveKeys,
  shareLeases,
  updateMessages,
  upsertContacts,
} from "./store/ledger.ts";

const keyLifeMs = 48 * 3_600_000;

export type Committed = {
  /** One for each item. */
  answers: Answer[];
  decision: Decision;
  received: readonly InboundMessage[];
  accountNews: number;
  unparsed: number;
  /** Numbers that have messages to claim which they had not before. */
  wakes: ReadonlySet<string>;
  /** Events wait for the publisher. */
  hasEvents: boolean;
};

type Options = {
  /** A connection that sends queries without waiting for the answers to those before. */
  tx: Queryable;
  register: Pick<Register, "placeOf" | "policyOf" | "isPassThrough">;
  now: Date;
};

/** Commits all items, or throws and has committed none; then the connection must not be used again. */
export async function commitBatch(items: readonly Item[], { tx, register, now }: Options): Promise<Committed> {
  const ingested = items.flatMap((item) => (item.kind === "ingest" ? [item] : []));
  const inbound = ingested.flatMap((item) => item.inbound);
  const accountNews = ingested.flatMap((item) => item.accountNews);
  const unparsed = ingested.flatMap((item) => item.unparsed);
  const claims = keysOf(items);
  const writesEarly = claims.length > 0 || inbound.length > 0;
  const [, , leases, messages, keys, newInbound] = await Promise.all([
    tx.query("begin"),
    writesEarly ? markBatch(tx) : undefined,
    shareLeases(tx, leasesOf(items)),
    lockMessages(tx, messagesOf(items)),
    reserveKeys(tx, claims, new Date(now.getTime() - keyLifeMs)),
    insertInbound(tx, inbound, { isPassThrough: register.isPassThrough, now }),
  ]);
  const decision = decideBatch(items, {
    leases: fenceOf(items, leases),
    messages,
    keys,
    policyOf: register.policyOf,
    isPassThrough: register.isPassThrough,
    now,
  });
  refuseStolenIds(decision);
  const received = firsts(inbound, newInbound);
  const events = [
    ...decision.news.map((news) => messageEvent(news, register.placeOf(news.message.phoneNumberId))),
    ...decision.passed.map((passed) => statusPassed(passed, register.placeOf(passed.report.phoneNumberId))),
    ...received.map((message) => inboundReceived(message, register.placeOf(message.phoneNumberId))),
    ...accountNews.map(accountEvent),
  ];
  await Promise.all([
    insertMessages(tx, decision.inserted),
    insertContents(tx, decision.inserted),
    updateMessages(tx, decision.changed),
    deleteContents(tx, decision.spent),
    upsertContacts(tx, decideContacts(received, now)),
    insertUnparsed(tx, unparsed, now),
    enqueue(tx, "messages", events),
  ]);
  // Not sent along with the others: one that failed before it reached the wire would not stop it.
  for (const { kind } of items) faultPoint(`commit.${kind}.before`);
  await tx.query("commit");
  for (const { kind } of items) faultPoint(`commit.${kind}.after`);
  return {
    answers: decision.answers,
    decision,
    received,
    accountNews: accountNews.length,
    unparsed: unparsed.length,
    wakes: wakesOf(decision, now),
    hasEvents: events.length > 0,
  };
}

/** The leases; with the fence switched off, whatever term each Begin claims. */
function fenceOf(items: readonly Item[], leases: Loaded["leases"]): Loaded["leases"] {
  if (!isSwitchedOff("fence")) return leases;
  return new Map(
    items.flatMap((item) =>
      item.kind === "begin" ? [[item.phoneNumberId, { term: item.term, state: "held" }] as const] : [],
    ),
  );
}

/** The numbers whose term must hold until the commit. */
function leasesOf(items: readonly Item[]): string[] {
  const phoneNumberIds = new Set<string>();
  for (const item of items) {
    const asksHolder =
      item.kind === "begin" ||
      (item.kind === "finish" && item.outcomes.some(({ outcome }) => mayPrecedeBegin.has(outcome.kind)));
    if (asksHolder) phoneNumberIds.add(item.phoneNumberId);
  }
  return [...phoneNumberIds];
}

const mayPrecedeBegin = new Set(["refused", "wait", "expired"]);

function messagesOf(items: readonly Item[]): string[] {
  const messageIds = new Set<string>();
  for (const item of items) {
    switch (item.kind) {
      case "send":
        messageIds.add(item.message.messageId);
        break;
      case "begin":
        for (const { messageId } of item.attempts) messageIds.add(messageId);
        break;
      case "finish":
        for (const { messageId } of item.outcomes) messageIds.add(messageId);
        break;
      case "ingest":
        for (const { messageId } of item.reports) if (messageId !== undefined) messageIds.add(messageId);
        break;
      case "sweep":
      case "cancel":
        for (const messageId of item.messageIds) messageIds.add(messageId);
        break;
    }
  }
  return [...messageIds];
}

/** Each key once: of two items with the same one, the first may have it. */
function keysOf(items: readonly Item[]): KeyClaim[] {
  const claims = new Map<string, KeyClaim>();
  for (const item of items) {
    if (item.kind !== "send" || item.idempotency === undefined) continue;
    const { phoneNumberId, messageId, acceptedAt } = item.message;
    const key = keyOf(phoneNumberId, item.idempotency.key);
    if (!claims.has(key)) claims.set(key, { ...item.idempotency, phoneNumberId, messageId, acceptedAt });
  }
  return [...claims.values()];
}

/** Such an item may have reserved a key, so it cannot share a commit. */
function refuseStolenIds({ answers }: Decision): void {
  if (answers.some((answer) => answer.kind === "refused" && answer.reason === "message_id_in_use")) {
    throw new ServiceError(
      "INVALID_ARGUMENT",
      "message_id_in_use",
      "message_id belongs to a message of another number",
    );
  }
}

/** Those stored just now, each once: a webhook may hold the same message twice. */
function firsts(inbound: readonly InboundMessage[], wamids: ReadonlySet<string>): InboundMessage[] {
  const left = new Set(wamids);
  return inbound.filter(({ wamid }) => left.delete(wamid));
}

function wakesOf({ inserted, changed }: Decision, now: Date): Set<string> {
  const wakes = new Set(inserted.map(({ phoneNumberId }) => phoneNumberId));
  for (const { message } of changed) {
    const { state, dueAt, phoneNumberId } = message;
    // What was queued behind a cancelled message may go.
    if ((state === "accepted" && dueAt <= now) || state === "cancelled") wakes.add(phoneNumberId);
  }
  return wakes;
}
