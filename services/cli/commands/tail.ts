// Follows the news as it is published: a plain NATS subscription, which sees what goes into the stream and leaves no trace there.
import { createLog, maskPhone } from "#lib/log.ts";
import { connectNats, subscribeCore } from "#lib/nats.ts";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";
import { type News, readNews } from "../news.ts";
import { findNumberId } from "../numbers.ts";

// The outbox may publish an event again after a crash; that is no second event.
const remembered = 1_000;

/** Until the signal. */
export async function tail({ number, isFull }: { number: string | undefined; isFull: boolean }, context: Context) {
  const { places, tls, json, out, err, signal } = context;
  const id = number === undefined ? "*" : await findNumberId(number, context);
  const url = places.nats();
  const log = createLog({ service: "cli", level: "silent" });
  await using nats = await connectNats({ url, name: "heliograph tail", log, signal, tls: tls.nats });
  const seen = new Set<string>();
  const show = (data: Uint8Array, subject: string): void => {
    const news = readNews(subject, data);
    if (news === undefined || seen.has(news.eventId)) return;
    seen.add(news.eventId);
    const [oldest] = seen;
    if (seen.size > remembered && oldest !== undefined) seen.delete(oldest);
    const shown = isFull ? news : { ...news, phone: maskPhone(news.phone) };
    out(json ? JSON.stringify(shown) : lineOf(shown));
  };
  await using _ = subscribeCore(nats, `wa.*.*.${id}`, show);
  await nats.flush();
  err(`following ${url}; Ctrl-C ends`);
  await ended(signal);
  return exitCodes.ok;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function lineOf({ at, event, number, phone, id, details }: News): string {
  const parts = [at, event.padEnd("message.delivered".length), number, phone, id, ...details];
  return parts.filter((part) => part !== "").join("  ");
}
