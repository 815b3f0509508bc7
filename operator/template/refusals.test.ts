import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeFault } from "./refusals.ts";

const refused = "upstream_refused";
const cases: [sentence: string, code: string, reason: string, message: string, judged: string][] = [
  [
    "a name that is blocked",
    "FAILED_PRECONDITION",
    refused,
    "refused with code 100, subcode 2388023: x",
    "NameBlocked",
  ],
  ["too many templates", "FAILED_PRECONDITION", refused, "code 100, subcode 2388019: x", "TooManyTemplates"],
  ["too many calls", "FAILED_PRECONDITION", refused, "code 80007: x", "RateLimited"],
  ["a token that is refused", "FAILED_PRECONDITION", refused, "code 190: x", "TokenRefused"],
  ["a token without the right", "FAILED_PRECONDITION", refused, "code 200: x", "TokenRefused"],
  ["a text that is refused", "FAILED_PRECONDITION", refused, "code 100, subcode 2388299: x", "Refused"],
  ["a refusal without a number", "FAILED_PRECONDITION", refused, "x", "Refused"],
  ["content that the service refuses", "INVALID_ARGUMENT", "template_invalid", "x", "Refused"],
  ["an account without a connected number", "FAILED_PRECONDITION", "number_disconnected", "x", "NoConnectedNumber"],
  ["one that WhatsApp has already", "FAILED_PRECONDITION", refused, "code 100, subcode 2388024: x", "unclear"],
  ["one that the service has already", "ALREADY_EXISTS", "template_exists", "x", "unclear"],
  ["a lost answer", "UNAVAILABLE", "upstream_unavailable", "x", "unclear"],
  ["a service that is away", "UNAVAILABLE", "unavailable", "x", "unclear"],
];
for (const [sentence, code, reason, message, judged] of cases) {
  test(sentence, () => {
    const verdict = judgeFault({ code, reason, message, retryAfterMs: undefined });
    assert.equal(verdict.kind === "refused" ? verdict.reason : verdict.kind, judged);
    if (verdict.kind === "refused") assert.ok(verdict.retryMs >= 10_000 && verdict.message !== "");
  });
}
