// One reading of a durable consumer: gather events, hand them over, acknowledge them when they are saved.
import { jetstream, jetstreamManager, type JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { createBatchQueue } from "./batch-queue.ts";
import { sleep } from "./lifecycle.ts";
import type { Log } from "./log.ts";

export type Event = {
  subject: string;
  data: Uint8Array;
  /** The position in the stream, rising. */
  seq: number;
  traceparent: string | undefined;
};

export type ConsumeOptions = {
  nc: NatsConnection;
  stream: string;
  durable: string;
  /** Most events handed over at once. */
  batch?: number;
  /** How long the first event of a batch waits for more. */
  lingerMs?: number;
  signal?: AbortSignal | undefined;
  log: Log;
  /** Saves the events in one commit. Must bear seeing an event twice. */
  handle: (events: Event[]) => Promise<void>;
};

/** One reader at a time ("pinned"); the others stand by. */
export const pinnedGroup = "one";
/** A pin is lost when no pull came for the consumer's priority_timeout, so a pull must expire well before it. */
const pullExpiresMs = 1_500;

/** 0.2 s, doubled with each attempt, at most 5 s. */
export function backoffMs(attempt: number): number {
  return Math.min(5_000, 200 * 2 ** Math.min(attempt, 10));
}

/** One subscription: from a consumer that exists until it is gone or the reader ends. */
export async function readOnce(options: ConsumeOptions, ending: AbortSignal, onProgress: () => void): Promise<void> {
  const { nc, stream, durable, batch = 256, lingerMs = 20 } = options;
  // Events that are given out again while they wait here are left aside.
  const queue = createBatchQueue<JsMsg>({ keyOf: (message) => message.seq, batch, lingerMs });
  const consumer = await jetstream(nc).consumers.get(stream, durable);
  let isPinned = false;
  const messages = await consumer.consume({
    group: pinnedGroup,
    max_messages: batch,
    expires: pullExpiresMs,
    abort_on_missing_resource: true,
    callback: (message) => {
      isPinned = true;
      queue.push(message);
    },
  });
  const closed = messages.closed().then(queue.close, queue.close);
  ending.addEventListener("abort", queue.close, { once: true });
  if (ending.aborted) queue.close();
  for (;;) {
    const taken = await queue.next();
    if (taken.length === 0 || !(await handleUntilDone(options, taken, ending))) break;
    for (const message of taken) message.ack();
    queue.done(taken);
    onProgress();
  }
  ending.removeEventListener("abort", queue.close);
  await messages.close();
  await closed;
  for (const message of queue.rest()) message.nak();
  if (isPinned) await giveUpPin(nc, stream, durable);
}

/** Resolves to false if the reader ended first. */
async function handleUntilDone(
  options: ConsumeOptions,
  taken: readonly JsMsg[],
  ending: AbortSignal,
): Promise<boolean> {
  const events = taken.map((message) => ({
    subject: message.subject,
    data: message.data,
    seq: message.seq,
    traceparent: message.headers?.get("traceparent") || undefined,
  }));
  for (let attempt = 0; !ending.aborted; attempt += 1) {
    try {
      await options.handle(events);
      return true;
    } catch (error) {
      const { stream, durable, log } = options;
      log.warn(
        { err: error, stream, durable, events: events.length, attempt },
        "events were not handled, will try again",
      );
      await sleep(backoffMs(attempt), ending);
    }
  }
  return false;
}

/** Best effort: without it the next reader waits for the pin to time out. */
async function giveUpPin(nc: NatsConnection, stream: string, durable: string): Promise<void> {
  try {
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 1_000 });
    await manager.consumers.unpin(stream, durable, pinnedGroup);
  } catch {
    return;
  }
}
