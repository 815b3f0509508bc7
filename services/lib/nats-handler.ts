// Handing events to a service until they are saved and acknowledged. What is away is waited for, as long as it takes; an event
// whose values the service or its database refuses is given up in the end, so that it never stops those behind it.
import type { JsMsg } from "@nats-io/jetstream";
import { ServiceError } from "./errors.ts";
import { sleep } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { isRefusedValue } from "./postgres.ts";
import { withRemoteSpan } from "./telemetry.ts";

export type Event = {
  subject: string;
  data: Uint8Array;
  /** The position in the stream, rising. */
  seq: number;
  traceparent: string | undefined;
};

export type HandlerOptions = {
  stream: string;
  durable: string;
  log: Log;
  /** Saves the events in one commit. Must bear seeing an event twice. */
  handle: (events: Event[]) => Promise<void>;
  /** An event was given up. */
  onSkip: () => void;
};

/** 0.2 s, doubled with each attempt, at most 5 s. */
export function backoffMs(attempt: number): number {
  return Math.min(5_000, 200 * 2 ** Math.min(attempt, 10));
}

const triesOfRefused = 3;

/**
 * Acknowledges the events when they are saved. A batch that is refused 3 times goes event by event, in order; an event that is
 * refused 3 times alone is logged and taken out of the stream. Resolves to false if the reader ended first.
 */
export async function handleUntilDone(
  options: HandlerOptions,
  taken: readonly JsMsg[],
  ending: AbortSignal,
): Promise<boolean> {
  const outcome = await tryUntilRefused(options, taken, ending);
  if (outcome === "ended") return false;
  if (outcome === "saved") {
    for (const message of taken) message.ack();
    return true;
  }
  const [only, ...others] = taken;
  if (only !== undefined && others.length === 0) {
    skip(options, only);
    return true;
  }
  for (const message of taken) if (!(await handleUntilDone(options, [message], ending))) return false;
  return true;
}

type Outcome = "saved" | "refused" | "ended";

async function tryUntilRefused(
  { stream, durable, log, handle }: HandlerOptions,
  taken: readonly JsMsg[],
  ending: AbortSignal,
): Promise<Outcome> {
  const events = taken.map(toEvent);
  const traceparent = events.find((event) => event.traceparent !== undefined)?.traceparent;
  let refusals = 0;
  for (let attempt = 0; !ending.aborted; attempt += 1) {
    try {
      await withRemoteSpan(`${stream} to ${durable}`, traceparent, () => handle(events));
      return "saved";
    } catch (error) {
      log.warn(
        { err: error, stream, durable, events: events.length, attempt },
        "events were not handled, will try again",
      );
      if (isRefusal(error)) refusals += 1;
      if (refusals === triesOfRefused) return "refused";
      await sleep(backoffMs(attempt), ending);
    }
  }
  return "ended";
}

function toEvent({ subject, data, seq, headers }: JsMsg): Event {
  return { subject, data, seq, traceparent: headers?.get("traceparent") || undefined };
}

/**
 * Whether the event is to blame: its values are refused. Anything else, a bug of ours too, is tried until it passes: a reader that
 * stands still is noticed and loses nothing.
 */
function isRefusal(error: unknown): boolean {
  return isRefusedValue(error) || (error instanceof ServiceError && error.code === "INVALID_ARGUMENT");
}

/** The failure itself was logged with each try. */
function skip({ stream, durable, log, onSkip }: HandlerOptions, message: JsMsg): void {
  log.error(
    { stream, durable, subject: message.subject, seq: message.seq },
    "event is refused again and again, left out",
  );
  message.term("refused");
  onSkip();
}
