// Makes events again after JetStream lost them, with the ids that they had: who has applied one already leaves the repeat aside.
import { sleep } from "#lib/lifecycle.ts";
import { enqueue, type OutboxRow } from "#lib/outbox.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { impliedNews } from "./domain/republish.ts";
import { firstMessageId } from "./domain/partitions.ts";
import { inboundReceived, messageEvent } from "./events.ts";
import type { Register } from "./register.ts";
import { isOutboxFull, loadInboundAfter, loadMessagesFrom, type Position } from "./store/republish.ts";

type Dependencies = {
  db: Pool;
  register: Pick<Register, "placeOf">;
  /** Events wait to be published. */
  onEvents: () => void;
};

export type Span = { from: Date; to: Date };

export type Batch = {
  events: OutboxRow[];
  /** Undefined at the end of the span. */
  next: Position | undefined;
};

/** Rows in a transaction. */
const batchRows = 500;

/** Answers how many events were made. Ends early, between two transactions, when the signal aborts. */
export async function republish(
  { db, register, onEvents }: Dependencies,
  span: Span,
  signal: AbortSignal,
): Promise<number> {
  let events = 0;
  for (let position: Position | undefined = firstPosition(span); position !== undefined && !signal.aborted;) {
    await untilOutboxHasRoom(db, signal);
    const batch: Batch = await loadBatch(db, { register, span, position });
    if (batch.events.length > 0) await transaction(db, (tx) => enqueue(tx, "messages", batch.events));
    onEvents();
    events += batch.events.length;
    position = batch.next;
  }
  return events;
}

const lookAgainMs = 50;

/** Events of now go behind those that are made again: these are made as fast as they leave, so that news stays quick. */
export async function untilOutboxHasRoom(db: Queryable, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await isOutboxFull(db))) await sleep(lookAgainMs, signal);
}

/** Inbound messages come first: what their users wrote opens the window for what was sent. */
export function firstPosition({ from }: Span): Position {
  return { kind: "inbound", after: { at: from, wamid: "" } };
}

type Asked<Kind extends Position["kind"] = Position["kind"]> = {
  register: Pick<Register, "placeOf">;
  span: Span;
  position: Extract<Position, { kind: Kind }>;
};

export function loadBatch(db: Queryable, { register, span, position }: Asked): Promise<Batch> {
  switch (position.kind) {
    case "inbound":
      return loadInboundBatch(db, { register, span, position });
    case "messages":
      return loadMessageBatch(db, { register, span, position });
  }
}

async function loadInboundBatch(db: Queryable, { register, span, position }: Asked<"inbound">): Promise<Batch> {
  const rows = await loadInboundAfter(db, { after: position.after, before: span.to, most: batchRows });
  const events = rows.flatMap(({ inbound }) =>
    inbound === undefined ? [] : inboundReceived(inbound, register.placeOf(inbound.phoneNumberId)),
  );
  const last = rows.length < batchRows ? undefined : rows.at(-1);
  if (last === undefined) return { events, next: { kind: "messages", least: firstMessageId(span.from) } };
  return { events, next: { kind: "inbound", after: { at: last.at, wamid: last.wamid } } };
}

async function loadMessageBatch(db: Queryable, { register, span, position }: Asked<"messages">): Promise<Batch> {
  const below = firstMessageId(span.to);
  const messages = await loadMessagesFrom(db, { least: position.least, below, most: batchRows + 1 });
  const events = messages
    .slice(0, batchRows)
    .flatMap((message) =>
      impliedNews(message, message.history).map((one) =>
        messageEvent({ message, news: one }, register.placeOf(message.phoneNumberId)),
      ),
    );
  const least = messages[batchRows]?.messageId;
  return { events, next: least === undefined ? undefined : { kind: "messages", least } };
}
