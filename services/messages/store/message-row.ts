// A row of messages.messages as pg reads it, and as the domain knows it.
import type { Lane, Message } from "../domain/accept.ts";
import type { MessageError, MessageState, Pricing, Transition } from "../domain/progress.ts";
import { fromHistoryText } from "./history.ts";

export const messageColumns = `
  message_id, phone_number_id, recipient, lane, state, attempt, term, due_at, expires_at, category, template_name,
  template_language, campaign, client_callback_data, wamid, reason, error, pricing, accepted_at, sending_at, sent_at,
  sent_news_at, delivered_at, read_at, failed_at`;

/** What nobody who moves a message needs. */
export const tracedColumns = `${messageColumns}, history`;

export type TracedRow = MessageRow & { history: string };

export type TracedMessage = Message & { history: readonly Transition[] };

export type MessageRow = {
  message_id: string;
  phone_number_id: string;
  recipient: string;
  lane: Lane;
  state: MessageState;
  attempt: number;
  term: number;
  due_at: Date;
  expires_at: Date;
  category: string;
  template_name: string;
  template_language: string;
  campaign: string;
  client_callback_data: string;
  wamid: string | null;
  reason: string;
  error: MessageError | null;
  pricing: Pricing | null;
  accepted_at: Date;
  sending_at: Date | null;
  sent_at: Date | null;
  sent_news_at: Date | null;
  delivered_at: Date | null;
  read_at: Date | null;
  failed_at: Date | null;
};

export function fromRow(row: MessageRow): Message {
  return {
    messageId: row.message_id,
    phoneNumberId: row.phone_number_id,
    recipient: row.recipient,
    lane: row.lane,
    state: row.state,
    attempt: row.attempt,
    term: row.term,
    dueAt: row.due_at,
    expiresAt: row.expires_at,
    category: row.category,
    templateName: row.template_name,
    templateLanguage: row.template_language,
    campaign: row.campaign,
    clientCallbackData: row.client_callback_data,
    wamid: row.wamid ?? undefined,
    reason: row.reason,
    error: row.error ?? undefined,
    pricing: row.pricing ?? undefined,
    acceptedAt: row.accepted_at,
    sendingAt: row.sending_at ?? undefined,
    sentAt: row.sent_at ?? undefined,
    sentNewsAt: row.sent_news_at ?? undefined,
    deliveredAt: row.delivered_at ?? undefined,
    readAt: row.read_at ?? undefined,
    failedAt: row.failed_at ?? undefined,
  };
}

export function fromTracedRow(row: TracedRow): TracedMessage {
  return { ...fromRow(row), history: fromHistoryText(row.history, row.accepted_at) };
}
