// Makes events again after JetStream lost them, with the ids that they had: who has applied one already leaves the repeat aside.
import { enqueue, type OutboxRow } from "#lib/outbox.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { impliedNews } from "./domain/republish.ts";
import { firstMessageId } from "./domain/partitions.ts";
import { inboundReceived, messageEvent } from "./events.ts";
import type { Register } from "./register.ts";
import { type InboundPosition, loadInboundAfter, loadMessagesFrom } from "./store/republish.ts";

type Dependencies = {
  db: Pool;
  register: Pick<Register, "placeOf">;
  /** Events wait to be published. */
  onEvents: () => void;
  /** Lets events through that JetStream took a moment ago: their readers lost what they made of them. Drawn once. */
  mark?: string;
};

export type Span = { from: Date; to: Date };

/** Rows in a transaction. */
const batchRows = 500;

/**
 * Answers how many events were made. Inbound messages first: what their users wrote opens the window for what was sent.
 * Ends early, between two transactions, when the signal aborts.
 */
export async function republish(dependencies: Dependencies, span: Span, signal: AbortSignal): Promise<number> {
  return (await republishInbound(dependencies, span, signal)) + (await republishMessages(dependencies, span, signal));
}

async function republishInbound({ db, register, onEvents, mark }: Dependencies, span: Span, signal: AbortSignal) {
  let events = 0;
  for (let after: InboundPosition | undefined = { at: span.from, wamid: "" }; after !== undefined && !signal.aborted;) {
    const rows = await loadInboundAfter(db, { after, before: span.to, most: batchRows });
    const news = rows.flatMap(({ inbound }) =>
      inbound === undefined ? [] : inboundReceived(inbound, register.placeOf(inbound.phoneNumberId)),
    );
    await save(db, news, mark);
    onEvents();
    events += news.length;
    after = rows.length < batchRows ? undefined : rows.at(-1);
  }
  return events;
}

async function republishMessages({ db, register, onEvents, mark }: Dependencies, span: Span, signal: AbortSignal) {
  const below = firstMessageId(span.to);
  let events = 0;
  for (let least: string | undefined = firstMessageId(span.from); least !== undefined && !signal.aborted;) {
    const messages = await loadMessagesFrom(db, { least, below, most: batchRows + 1 });
    const news = messages
      .slice(0, batchRows)
      .flatMap((message) =>
        impliedNews(message, message.history).map((one) =>
          messageEvent({ message, news: one }, register.placeOf(message.phoneNumberId)),
        ),
      );
    await save(db, news, mark);
    onEvents();
    events += news.length;
    least = messages[batchRows]?.messageId;
  }
  return events;
}

/** The mark is for JetStream only: readers go by the id in the event. */
async function save(db: Pool, events: readonly OutboxRow[], mark: string | undefined): Promise<void> {
  const rows = mark === undefined ? events : events.map((row) => ({ ...row, eventId: `${row.eventId}.${mark}` }));
  if (rows.length > 0) await transaction(db, (tx) => enqueue(tx, "messages", rows));
}
