// Decides a whole commit: folds its items, in order, over the rows that were loaded for them.
import type { Message, NewMessage } from "./accept.ts";
import type { InboundMessage } from "./inbound.ts";
import { isHolder, type Lease } from "./lease.ts";
import { isBegun, isOpen, next } from "./message.ts";
import type { Event, News, Outcome, Policy, Status, Transition } from "./progress.ts";

export type IdempotencyKey = { key: string; bodyHash: string };

export type SendItem = { kind: "send"; message: NewMessage; idempotency: IdempotencyKey | undefined };
export type BeginItem = {
  kind: "begin";
  phoneNumberId: string;
  term: number;
  attempts: readonly { messageId: string; attempt: number }[];
};
export type FinishItem = {
  kind: "finish";
  phoneNumberId: string;
  term: number;
  outcomes: readonly { messageId: string; attempt: number; at: Date; outcome: Outcome }[];
};
/** A status as WhatsApp reported it. `messageId` is undefined when it is not of a message of ours, so far as is known. */
export type StatusReport = Omit<Status, "kind" | "status"> & {
  messageId: string | undefined;
  status: string;
  phoneNumberId: string;
  wabaId: string;
  recipient: string;
  callbackData: string;
};
export type AccountNews = { wabaId: string; field: string; valueJson: Uint8Array; at: Date };
export type Unparsed = { body: Uint8Array; error: string };
export type IngestItem = {
  kind: "ingest";
  reports: readonly StatusReport[];
  inbound: readonly InboundMessage[];
  accountNews: readonly AccountNews[];
  unparsed: readonly Unparsed[];
};
export type SweepItem = { kind: "sweep"; messageIds: readonly string[] };
/** What of these is still queued is not to be sent any more. */
export type CancelItem = { kind: "cancel"; messageIds: readonly string[] };
export type Item = SendItem | BeginItem | FinishItem | IngestItem | SweepItem | CancelItem;

/** The first message that was accepted with an idempotency key. */
export type HeldKey = { bodyHash: string; messageId: string; acceptedAt: Date };

export type Loaded = {
  leases: ReadonlyMap<string, Pick<Lease, "term" | "state">>;
  messages: ReadonlyMap<string, Message>;
  /** By keyOf. Holds every key of the batch, with the message that has it now. */
  keys: ReadonlyMap<string, HeldKey>;
  policyOf: (phoneNumberId: string) => Policy;
  /** Whether the number keeps no content that nobody needs any more. */
  isPassThrough: (phoneNumberId: string) => boolean;
  now: Date;
};

export type Answer =
  | { kind: "accepted"; messageId: string; acceptedAt: Date; repeated: boolean }
  | { kind: "begun"; messageIds: string[] }
  | { kind: "cancelled"; messageIds: string[] }
  | { kind: "done" }
  | { kind: "refused"; reason: BatchRefusal };
export type BatchRefusal = "fenced" | "idempotency_conflict" | "message_id_in_use";

export type MessageNews = { message: Message; news: News };
/** A status to be passed on: of a message that is not ours, or of a kind that the ledger does not know. */
export type PassedStatus = { report: StatusReport; message: Message | undefined };

/** A row as it is to be saved, and what its history gains. */
export type ChangedMessage = { message: Message; transitions: readonly Transition[] };

export type Decision = {
  /** One for each item. */
  answers: Answer[];
  inserted: NewMessage[];
  changed: ChangedMessage[];
  /** Messages that will not be sent again, and whose content must not be kept. */
  spent: string[];
  news: MessageNews[];
  passed: PassedStatus[];
};

export function keyOf(phoneNumberId: string, key: string): string {
  return `${phoneNumberId} ${key}`;
}

/** Pure and total: an item that cannot be done is answered with a refusal and leaves no trace in the decision. */
export function decideBatch(items: readonly Item[], loaded: Loaded): Decision {
  const work: Work = {
    loaded,
    rows: new Map(loaded.messages),
    inserted: [],
    touched: new Map(),
    news: [],
    passed: [],
  };
  const answers = items.map((item) => answer(work, item));
  const { rows, inserted, touched, news, passed } = work;
  const changed = [...touched].flatMap(([messageId, transitions]) => {
    const message = rows.get(messageId);
    return message === undefined ? [] : { message, transitions };
  });
  const spent = changed.flatMap(({ message }) => (isSpent(message, loaded) ? message.messageId : []));
  return { answers, inserted, changed, spent, news, passed };
}

/** Once in its life, when it ceases to be open: the statuses that follow have nothing left to forget. */
function isSpent(message: Message, { messages, isPassThrough }: Loaded): boolean {
  const before = messages.get(message.messageId);
  return !isOpen(message) && (before === undefined || isOpen(before)) && isPassThrough(message.phoneNumberId);
}

type Work = {
  loaded: Loaded;
  /** As they stand after the items so far. */
  rows: Map<string, Message>;
  inserted: NewMessage[];
  /** What the histories of changed rows gain. */
  touched: Map<string, Transition[]>;
  news: MessageNews[];
  passed: PassedStatus[];
};

function answer(work: Work, item: Item): Answer {
  switch (item.kind) {
    case "send":
      return send(work, item);
    case "begin":
      return begin(work, item);
    case "finish":
      return finish(work, item);
    case "ingest":
      for (const report of item.reports) take(work, report);
      return done;
    case "sweep":
      for (const messageId of item.messageIds) {
        const row = work.rows.get(messageId);
        if (row !== undefined) advance(work, row, { kind: "due" });
      }
      return done;
    case "cancel":
      return cancel(work, item);
  }
}

const done: Answer = { kind: "done" };

function refused(reason: BatchRefusal): Answer {
  return { kind: "refused", reason };
}

function advance({ loaded, rows, touched, news }: Work, message: Message, event: Event): Message {
  const step = next(message, event, loaded.now, loaded.policyOf(message.phoneNumberId));
  if (step.row === message) return message;
  rows.set(message.messageId, step.row);
  const transitions = touched.get(message.messageId) ?? [];
  if (step.transition !== undefined) transitions.push(step.transition);
  touched.set(message.messageId, transitions);
  for (const one of step.news) news.push({ message: step.row, news: one });
  return step.row;
}

function send({ loaded, rows, inserted }: Work, { message, idempotency }: SendItem): Answer {
  const { messageId, phoneNumberId, acceptedAt } = message;
  const held = idempotency && loaded.keys.get(keyOf(phoneNumberId, idempotency.key));
  if (held !== undefined && held.bodyHash !== idempotency?.bodyHash) return refused("idempotency_conflict");
  if (held !== undefined && held.messageId !== messageId) {
    return { kind: "accepted", messageId: held.messageId, acceptedAt: held.acceptedAt, repeated: true };
  }
  const row = rows.get(messageId);
  if (row === undefined) {
    rows.set(messageId, message);
    inserted.push(message);
    return { kind: "accepted", messageId, acceptedAt, repeated: false };
  }
  if (row.phoneNumberId !== phoneNumberId) return refused("message_id_in_use");
  return { kind: "accepted", messageId, acceptedAt: row.acceptedAt, repeated: true };
}

function begin(work: Work, { phoneNumberId, term, attempts }: BeginItem): Answer {
  if (!isHolder(work.loaded.leases.get(phoneNumberId), term)) return refused("fenced");
  const messageIds: string[] = [];
  for (const { messageId, attempt } of attempts) {
    const row = work.rows.get(messageId);
    if (row === undefined || row.phoneNumberId !== phoneNumberId) continue;
    if (isBegun(advance(work, row, { kind: "begin", term, attempt }), term, attempt)) messageIds.push(messageId);
  }
  return { kind: "begun", messageIds };
}

function finish(work: Work, { phoneNumberId, term, outcomes }: FinishItem): Answer {
  const holds = isHolder(work.loaded.leases.get(phoneNumberId), term);
  for (const { messageId, attempt, at, outcome } of outcomes) {
    const row = work.rows.get(messageId);
    if (row === undefined || row.phoneNumberId !== phoneNumberId) continue;
    advance(work, row, { kind: "finish", term, attempt, isHolder: holds, at, outcome });
  }
  return done;
}

function cancel(work: Work, { messageIds }: CancelItem): Answer {
  const cancelled = messageIds.filter((messageId) => {
    const row = work.rows.get(messageId);
    return row !== undefined && advance(work, row, { kind: "cancel" }) !== row;
  });
  return { kind: "cancelled", messageIds: cancelled };
}

function take(work: Work, report: StatusReport): void {
  const row = report.messageId === undefined ? undefined : work.rows.get(report.messageId);
  const message = row?.phoneNumberId === report.phoneNumberId ? row : undefined;
  const { status } = report;
  if (message === undefined || !isKnownStatus(status)) work.passed.push({ report, message });
  else advance(work, message, { ...report, kind: "status", status });
}

function isKnownStatus(status: string): status is Status["status"] {
  switch (status) {
    case "sent":
    case "delivered":
    case "read":
    case "played":
    case "failed":
      return true;
    default:
      return false;
  }
}
