// /admin/messages and /admin/state: everything that was accepted, for judges and for keeping.
import type { Simulation } from "../simulation.ts";
import type { OutboundMessage, Store } from "../store.ts";
import { type AdminReply, type AdminRequest, ok, pageOf } from "./admin.ts";
import { describeMessage } from "./admin-phones.ts";

type Counts = { accepted: number; sent: number; delivered: number; read: number; failed: number; underway: number };

function emptyCounts(): Counts {
  return { accepted: 0, sent: 0, delivered: 0, read: 0, failed: 0, underway: 0 };
}

function count(counts: Counts, { sentAt, deliveredAt, readAt, failedAt }: OutboundMessage): void {
  counts.accepted += 1;
  if (sentAt !== 0) counts.sent += 1;
  if (deliveredAt !== 0) counts.delivered += 1;
  if (readAt !== 0) counts.read += 1;
  if (failedAt !== 0) counts.failed += 1;
  if (deliveredAt === 0 && failedAt === 0) counts.underway += 1;
}

/** `<message id>.<attempt>` without the attempt: what must be accepted once. Other texts stand for themselves. */
function messageIdOf(callbackData: string): string {
  return callbackData.replace(/\.\d+$/, "");
}

/** Counts, messages accepted more than once under one id, and a page of all. `?limit=0` leaves out the page. */
export function listMessages({ store }: Simulation, { query }: AdminRequest): AdminReply {
  const outbound: OutboundMessage[] = [];
  const counts = emptyCounts();
  const byNumber: Record<string, Counts> = {};
  const byId = new Map<string, OutboundMessage[]>();
  for (const message of store.messages) {
    if (message.inbound) continue;
    outbound.push(message);
    count(counts, message);
    count((byNumber[message.number.phoneNumberId] ??= emptyCounts()), message);
    if (message.callbackData === "") continue;
    const id = messageIdOf(message.callbackData);
    const same = byId.get(id);
    if (same === undefined) byId.set(id, [message]);
    else same.push(message);
  }
  const duplicates = Array.from(byId, ([messageId, accepted]) => ({ messageId, accepted }))
    .filter(({ accepted }) => accepted.length > 1)
    .map(({ messageId, accepted }) => ({
      messageId,
      messages: accepted.map((message) => describeMessage(store, message)),
    }));
  const { rows, next } = pageOf(outbound, query, 1_000);
  return ok({
    counts: { ...counts, inbound: store.messages.length - outbound.length },
    byNumber,
    duplicates,
    messages: rows.map((message) => describeMessage(store, message)),
    next,
  });
}

/** The whole state as one JSON document, made piece by piece: a long run's does not fit into one string. */
export function exportState(sim: Simulation): AdminReply {
  return { status: 200, chunks: stateChunks(sim) };
}

function* stateChunks({ store, settings, faults, now }: Simulation): Generator<string> {
  const { verifyToken: _secret, ...webhook } = settings.webhook;
  const head = { exportedAt: now(), bootMs: store.bootMs, settings: { ...settings, webhook }, faults: faults.list() };
  yield `${JSON.stringify(head).slice(0, -1)},"businesses":${JSON.stringify(describeBusinesses(store))}`;
  yield* list("phones", store.phones.values(), ({ user, name, userId, own, waiting }) => ({
    user,
    name,
    userId,
    own,
    waiting: waiting.length,
  }));
  yield* list("messages", store.messages, (message) => {
    if (!message.inbound) return { inbound: false, seq: message.seq, ...describeMessage(store, message) };
    const { number, phone, type, content, at, readAt } = message;
    return {
      inbound: true,
      phoneNumberId: number.phoneNumberId,
      user: phone.user,
      type,
      content,
      at,
      markedReadAt: readAt || null,
    };
  });
  yield "}";
}

function* list<T>(name: string, rows: Iterable<T>, describe: (row: T) => object): Generator<string> {
  yield `,"${name}":[`;
  let separator = "";
  for (const row of rows) {
    yield separator + JSON.stringify(describe(row));
    separator = ",\n";
  }
  yield "]";
}

function describeBusinesses(store: Store): object[] {
  return store.businesses.map(({ accounts, ...business }) => ({
    ...business,
    accounts: accounts.map(({ business: _owner, numbers, templates, blockedNames, ...account }) => ({
      ...account,
      blockedNames: Object.fromEntries(blockedNames),
      numbers: numbers.map(({ account: _account, chats, throughput: _bucket, registration, ...number }) => ({
        ...number,
        registrationTries: registration.tries,
        chats: Array.from(chats, ([user, { lastInboundAt }]) => ({ user, lastInboundAt })),
      })),
      templates: Array.from(templates.values(), ({ plan: _plan, ...template }) => template),
    })),
  }));
}
