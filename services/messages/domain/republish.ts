// What a row of the ledger still tells: every piece of news that led to how it stands now, in the order in which it was told.
// WhatsApp's conversation and all but the first of its errors are not in the row, and not told again.
import type { News, Progress, Transition } from "./progress.ts";

export function impliedNews(message: Progress, history: readonly Transition[]): News[] {
  const { state, attempt, reason, error, pricing, sentNewsAt, deliveredAt, readAt, failedAt } = message;
  const common = { attempt, reason: "", errors: [], pricing, conversation: undefined };
  const news: News[] = [];
  if (sentNewsAt !== undefined) news.push({ ...common, verb: "sent", at: sentNewsAt });
  if (deliveredAt !== undefined) news.push({ ...common, verb: "delivered", at: deliveredAt });
  if (readAt !== undefined) news.push({ ...common, verb: "read", at: readAt });
  switch (state) {
    case "failed":
      if (failedAt === undefined) break;
      news.push({ ...common, verb: state, at: failedAt, reason, errors: error === undefined ? [] : [error] });
      break;
    case "expired":
    case "cancelled":
      if (failedAt !== undefined) news.push({ ...common, verb: state, at: failedAt, reason, pricing: undefined });
      break;
    case "unknown": {
      const at = history.findLast((step) => step.state === "unknown")?.at;
      if (at !== undefined) news.push({ ...common, verb: state, at, reason });
      break;
    }
    case "accepted":
    case "waiting":
    case "sending":
    case "sent":
    case "delivered":
    case "read":
      break;
  }
  return news;
}
