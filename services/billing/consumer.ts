// What billing does with the news. Every event may come again: a window that is open until then already is left alone.
import { faultPoint } from "#lib/fault-points.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { Log } from "#lib/log.ts";
import type { Event } from "#lib/nats.ts";
import { opensWindow } from "./domain/inbound.ts";
import { afterInbound, closed, type Window } from "./domain/window.ts";
import type { Metrics } from "./metrics.ts";
import { loadWindows, saveWindows, type WindowKey } from "./store.ts";
import { type Inbound, parseInbound } from "./wire.ts";

type Dependencies = { db: Queryable; now: () => Date; log: Log; metrics: Metrics };

/** One commit for all events of a batch. */
export function billingConsumer({ db, now, log, metrics }: Dependencies) {
  return async (events: readonly Event[]): Promise<void> => {
    const inbounds = events.map(parse).filter((inbound) => inbound !== undefined);
    const opening = byKey(inbounds.filter(({ kind }) => opensWindow(kind)));
    if (opening.length === 0) return;
    const before = await loadWindows(db, opening);
    const after = decide(opening, before, now());
    faultPoint("windows.save.before");
    if (after.length > 0) await saveWindows(db, after);
    faultPoint("windows.save.after");
    metrics.opened.inc(after.length);
  };

  function parse(event: Event): Inbound | undefined {
    try {
      const inbound = parseInbound(event.data);
      if (inbound === undefined) metrics.ignored.inc({ why: "incomplete" });
      return inbound;
    } catch (error) {
      metrics.ignored.inc({ why: "malformed" });
      log.error({ err: error, subject: event.subject, seq: event.seq }, "event cannot be read, left out");
      return undefined;
    }
  }
}

type Messages = WindowKey & { at: Date[] };

function byKey(inbounds: readonly Inbound[]): Messages[] {
  const groups = Map.groupBy(inbounds, ({ phoneNumberId, userId }) => `${phoneNumberId} ${userId}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [{ phoneNumberId: first.phoneNumberId, userId: first.userId, at: group.map(({ at }) => at) }];
  });
}

/** The windows that changed. */
function decide(
  messages: readonly Messages[],
  before: readonly Window[],
  now: Date,
): (WindowKey & { closesAt: Date })[] {
  return messages.flatMap(({ phoneNumberId, userId, at }, index) => {
    const window = before[index] ?? closed;
    const after = at.reduce((grown, receivedAt) => afterInbound(grown, receivedAt, now), window);
    return after === window || after.state === "closed" ? [] : [{ phoneNumberId, userId, closesAt: after.closesAt }];
  });
}
