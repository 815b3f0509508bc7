// One message's way: Begin, the last look at the clocks, the wire, and what became of it.
import { toCallbackData } from "#dialects/callback-data.ts";
import { toGraphMessage } from "#dialects/cloud-send.ts";
import { faultPoint } from "#lib/fault-points.ts";
import type { Log } from "#lib/log.ts";
import { withSpan } from "#lib/telemetry.ts";
import type { Attempt, Begun } from "./beginning.ts";
import { type Clocks, mayGoOnWire } from "./domain/lease-clock.ts";
import { decideOutcome, type Outcome } from "./domain/outcome.ts";
import type { Gatherer } from "./gather.ts";
import { parseSendAnswer } from "./graph.ts";
import type { Lease } from "./lease.ts";
import type { Upstream } from "./upstream.ts";
import type { Held } from "./wire.ts";

/** `dropped`: the ledger did not let it begin (cancelled, expired). `fenced`: another term was granted. `broken`: a bug, before the wire. */
export type Sent = Outcome | { outcome: "dropped" | "fenced" | "broken" };

type Options = {
  phoneNumberId: string;
  lease: Lease;
  beginning: Gatherer<Attempt, Begun>;
  upstream: Upstream;
  clocks: () => Clocks;
  log: Log;
  /** Ends what is on the wire. */
  signal: AbortSignal;
  /** Called on a connected socket right before the first byte. */
  onWire: (held: Held) => void;
};

export function createSender({ phoneNumberId, lease, beginning, upstream, clocks, log, signal, onWire }: Options) {
  /** Never rejects for what a peer or the upstream does. */
  return function send(held: Held): Promise<Sent> {
    const { messageId, attempt } = held.message;
    return withSpan("send message", { "message.id": messageId, "message.attempt": attempt }, () => carry(held));
  };

  async function carry(held: Held): Promise<Sent> {
    const { messageId, attempt, recipient, contextWamid, content } = held.message;
    if (content === undefined) throw new TypeError(`message ${messageId} has no content`);
    const body = toGraphMessage({
      recipient,
      content,
      contextWamid,
      callbackData: toCallbackData(messageId, attempt),
    });
    const { result, askedAt } = await beginning.add({ messageId, attempt });
    if (result === "unanswered") return { outcome: "handed_back" };
    if (result !== "begun") return { outcome: result };
    faultPoint("send.request.before");
    const answer = await upstream.request({
      method: "POST",
      path: `${phoneNumberId}/messages`,
      body,
      signal,
      gate() {
        if (!mayGoOnWire(lease.remainingMs(), askedAt, clocks())) return false;
        onWire(held);
        faultPoint("send.request.starts");
        return true;
      },
    });
    faultPoint("send.answer.after");
    const outcome = decideOutcome(parseSendAnswer(answer));
    if (answer.kind !== "reply")
      log.warn({ err: answer.error, messageId, attempt, outcome: outcome.outcome }, "send got no answer");
    return outcome;
  }
}
