import assert from "node:assert/strict";
import { test } from "node:test";
import { decideLook, decideOutcome, type GraphError, type Look, type Wire } from "./outcome.ts";

function error(code: number): GraphError {
  return { code, subcode: undefined, title: "title", message: "message", details: "details" };
}

function refusal(status: number, code: number, regainMs?: number): Wire {
  return { kind: "reply", status, wamid: undefined, error: error(code), regainMs };
}

function unreadable(status: number): Wire {
  return { kind: "reply", status, wamid: undefined, error: undefined };
}

/** One line for each row of the retry table: outcome, reason, what it is about, first and longest wait in seconds. */
function briefly(wire: Wire): string {
  const decided = decideOutcome(wire);
  switch (decided.outcome) {
    case "taken":
      return `taken ${decided.wamid}`;
    case "refused":
      return `refused ${decided.error.code}`;
    case "unknown":
      return `unknown ${decided.reason}`;
    case "handed_back":
      return "handed_back";
    case "wait": {
      const { reason, scope, backoff, slower } = decided;
      return `wait ${reason} ${scope} ${backoff.firstMs / 1_000} ${backoff.maxMs / 1_000}${slower ? " slower" : ""}`;
    }
  }
}

const cases: [sentence: string, wire: Wire, outcome: string][] = [
  ["200 with an id is taken", { kind: "reply", status: 200, wamid: "wamid.A", error: undefined }, "taken wamid.A"],
  ["200 with garbage is unknown", unreadable(200), "unknown answer_unreadable"],
  [
    "a refused connection is tried again",
    { kind: "not_sent", cause: "not_connected" },
    "wait upstream_unreachable number 0.5 30",
  ],
  ["what we held back ourselves is handed back", { kind: "not_sent", cause: "held_back" }, "handed_back"],
  ["a time-out is unknown", { kind: "lost", cause: "timeout" }, "unknown upstream_timeout"],
  ["a connection cut after the request left is unknown", { kind: "lost", cause: "cut" }, "unknown connection_cut"],
  ["4: calls of the app", refusal(400, 4), "wait app_call_limit number 60 3600"],
  ["17: calls of the user", refusal(400, 17), "wait user_call_limit number 60 3600"],
  ["80007: calls of the account", refusal(400, 80_007), "wait account_call_limit number 60 3600"],
  ["130429: throughput slows the number down", refusal(400, 130_429), "wait throughput_reached message 1 64 slower"],
  ["130429 as HTTP 429 is the same", refusal(429, 130_429), "wait throughput_reached message 1 64 slower"],
  ["429 without a body is throughput too", unreadable(429), "wait throughput_reached message 1 64 slower"],
  ["429 with a code of tomorrow too", refusal(429, 999_999), "wait throughput_reached message 1 64 slower"],
  ["an estimate lengthens the rest", refusal(400, 80_007, 2 * 3_600_000), "wait account_call_limit number 7200 7200"],
  ["and shortens it", refusal(429, 4, 30_000), "wait app_call_limit number 30 30"],
  ["but not beyond a day", refusal(400, 17, 9e9), "wait user_call_limit number 86400 86400"],
  ["one of none is none", refusal(400, 17, 0), "wait user_call_limit number 60 3600"],
  ["it says nothing of other refusals", refusal(400, 131_056, 60_000), "wait pair_limit_reached message 1 3600"],
  ["131056: the pair limit", refusal(400, 131_056), "wait pair_limit_reached message 1 3600"],
  [
    "131057: maintenance, an HTTP 500 that is known not to be taken",
    refusal(500, 131_057),
    "wait maintenance number 5 60",
  ],
  ["134101: a template still syncing", refusal(400, 134_101), "wait template_syncing message 60 600"],
  [
    "190: the token is refused, the number rests and nothing fails",
    refusal(401, 190),
    "wait token_refused number 30 300",
  ],
  ["104 is the same", refusal(401, 104), "wait token_refused number 30 300"],
  ["0 is the same", refusal(401, 0), "wait token_refused number 30 300"],
  [
    "133010: not registered, or elsewhere: the number rests long",
    refusal(400, 133_010),
    "wait number_not_registered number 300 3600",
  ],
  ["1: an unknown error is unknown, also as HTTP 400", refusal(400, 1), "unknown upstream_error_1"],
  ["2: service down", refusal(503, 2), "unknown upstream_error_2"],
  ["131000: something went wrong", refusal(500, 131_000), "unknown upstream_error_131000"],
  ["131016: temporarily unavailable", refusal(500, 131_016), "unknown upstream_error_131016"],
  ["any other 5xx is unknown", refusal(500, 131_045), "unknown upstream_error_131045"],
  ["a 5xx without a readable body is unknown", unreadable(502), "unknown http_502"],
  ["131047: the window is closed, passed on", refusal(400, 131_047), "refused 131047"],
  ["100: a bad parameter, passed on", refusal(400, 100), "refused 100"],
  ["132001 as 404, passed on", refusal(404, 132_001), "refused 132001"],
  ["10: a missing permission, passed on", refusal(403, 10), "refused 10"],
  ["a code of tomorrow with 4xx, passed on", refusal(400, 999_999), "refused 999999"],
  ["a 4xx that is not WhatsApp's is unknown: a proxy in between knows nothing", unreadable(404), "unknown http_404"],
  ["a redirect is unknown", unreadable(302), "unknown http_302"],
];

for (const [sentence, wire, outcome] of cases) test(sentence, () => assert.equal(briefly(wire), outcome));

const read = (status: string, platformType = "CLOUD_API"): Look => ({
  kind: "read",
  status,
  platformType,
  throughputLevel: "STANDARD",
});

const looks: [sentence: string, look: Look, event: string | undefined][] = [
  ["a connected number is fine", read("CONNECTED"), "registered"],
  ["so is one that is flagged", read("FLAGGED"), "registered"],
  ["one that says nothing of it answers, and no more", read(""), "answer"],
  ["so does a banned one", read("BANNED"), "answer"],
  [
    "one that was never registered, or is not any more, is in trouble",
    read("DISCONNECTED"),
    "trouble number_not_registered",
  ],
  ["so is one that was moved away", read("MIGRATED"), "trouble number_migrated"],
  [
    "so is one that is connected to the On-Premises API",
    read("CONNECTED", "ON_PREMISE"),
    "trouble number_not_registered",
  ],
  ["one that does not tell its platform is where it says it is", read("CONNECTED", ""), "registered"],
  ["one that this process has just deregistered", { kind: "deregistered" }, "deregistered number_not_registered"],
  ["and one that it has just registered", { kind: "registered" }, "registered_here"],
  ["a refused token is trouble", refusal(401, 190), "trouble token_refused"],
  ["another refusal is an answer", refusal(400, 100), "answer"],
  ["an upstream that is down is trouble", { kind: "not_sent", cause: "not_connected" }, "trouble upstream_unreachable"],
  ["no answer is a loss", { kind: "lost", cause: "timeout" }, "lost"],
  ["garbage is a loss", unreadable(200), "lost"],
  ["what we ended ourselves says nothing", { kind: "not_sent", cause: "held_back" }, undefined],
];

for (const [sentence, look, expected] of looks) {
  test(`a look: ${sentence}`, () => {
    const event = decideLook(look);
    assert.equal(event !== undefined && "reason" in event ? `${event.event} ${event.reason}` : event?.event, expected);
  });
}
