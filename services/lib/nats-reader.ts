// One reading of a durable consumer: gather events, oldest first, and have them handled and acknowledged.
import { type Consumer, jetstream, jetstreamManager, type JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Registry } from "prom-client";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";
import { sleep } from "./lifecycle.ts";
import { handleUntilDone, type HandlerOptions } from "./nats-handler.ts";

export type ConsumeOptions = Omit<HandlerOptions, "onSkip"> & {
  nc: NatsConnection;
  /** Most events handed over at once. */
  batch?: number;
  /** How long the first event of a batch waits for more. */
  lingerMs?: number;
  signal?: AbortSignal | undefined;
  /** Where the events that were given up are counted. */
  registry?: Registry;
};

/** One reader at a time ("pinned"); the others stand by. */
export const pinnedGroup = "one";
/** An event that is not acknowledged for so long is given out again. */
export const ackWaitMs = 3_000;
/** A pin is lost when no pull came for the consumer's priority_timeout, so a pull must expire well before it. */
const pullExpiresMs = 1_500;

type Reading = ConsumeOptions & Pick<HandlerOptions, "onSkip"> & { onProgress: () => void };

/** One subscription: from a consumer that exists until it is gone or the reader ends. */
export async function readOnce(options: Reading, ending: AbortSignal): Promise<void> {
  const { nc, stream, durable, batch = 256, lingerMs = 20 } = options;
  // Events that are given out again while they wait here are left aside.
  const queue = createBatchQueue<JsMsg>({ keyOf: (message) => message.seq, batch, lingerMs });
  const consumer = await jetstream(nc).consumers.get(stream, durable);
  let pinId = "";
  const messages = await consumer.consume({
    group: pinnedGroup,
    max_messages: batch,
    expires: pullExpiresMs,
    abort_on_missing_resource: true,
    callback: (message) => {
      pinId = message.headers?.get("Nats-Pin-Id") || pinId;
      queue.push(message);
    },
  });
  const closed = messages.closed().then(queue.close, queue.close);
  ending.addEventListener("abort", queue.close, { once: true });
  if (ending.aborted) queue.close();
  for (let orderedPinId = ""; ;) {
    const taken = await queue.next();
    if (taken.length === 0) break;
    if (pinId !== orderedPinId) {
      orderedPinId = pinId;
      await waitForOlder(consumer, queue, ending);
      continue;
    }
    if (!(await handleUntilDone(options, taken, ending))) break;
    queue.done(taken);
    options.onProgress();
  }
  ending.removeEventListener("abort", queue.close);
  await messages.close();
  await closed;
  for (const message of queue.rest()) message.nak();
  await leave(options, pinId);
}

const lookAgainMs = 50;

/**
 * What the reader before had been given and did not acknowledge is given out again only after ack_wait, but newer events come at
 * once. Waits until all that was out when this reader looked is here, or acknowledged by that other one after all.
 */
async function waitForOlder(consumer: Consumer, queue: BatchQueue<JsMsg>, ending: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + ackWaitMs + 1_000;
  while (!ending.aborted && performance.now() < giveUpAt) {
    const info = await consumer.info().catch(() => undefined);
    const last = info?.delivered.stream_seq ?? 0;
    const here = queue.rest().filter(({ seq }) => seq <= last).length;
    if (info !== undefined && here >= info.num_ack_pending) return;
    await sleep(lookAgainMs, ending);
  }
}

/**
 * Best effort: without it the next reader waits for a pin to time out. Being asked about the consumer, the server drops pulls
 * that nobody listens to any more; else it would pin one of them with the next event.
 */
async function leave({ nc, stream, durable }: ConsumeOptions, pinId: string): Promise<void> {
  try {
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 1_000 });
    await manager.consumers.info(stream, durable);
    if (pinId !== "") await manager.consumers.unpin(stream, durable, pinnedGroup);
  } catch {
    return;
  }
}
