import assert from "node:assert/strict";
import { test } from "node:test";
import { type CloudReason, errorBody, httpStatus, isCloudReason, messageError } from "./cloud-errors.ts";

const cases: [reason: CloudReason, http: number, code: number, subcode?: number][] = [
  ["token_invalid", 401, 190],
  ["permission_missing", 403, 10],
  ["number_unknown", 400, 100, 33],
  ["bad_json", 400, 100],
  ["body_too_large", 413, 100],
  ["content_missing", 400, 131008],
  ["content_invalid", 400, 131009],
  ["type_unsupported", 400, 131051],
  ["recipient_is_sender", 400, 131021],
  ["template_missing", 404, 132001],
  ["template_paused", 400, 132015],
  ["template_disabled", 400, 132016],
  ["template_parameter_count", 400, 132000],
  ["template_parameter_format", 400, 132012],
  ["template_parameter_value", 400, 132018],
  ["template_text_too_long", 400, 132005],
  ["window_closed", 400, 131047],
  ["limit_reached", 400, 131048],
  ["number_restricted", 400, 131048],
  ["unknown_outcome", 500, 131000],
  ["expired", 500, 131000],
  ["overloaded", 500, 131016],
  ["database_unavailable", 503, 131016],
  ["too_many_requests", 400, 130429],
];
for (const [reason, http, code, subcode] of cases) {
  test(`${reason} is ${code} with HTTP ${http}`, () => {
    const { error } = errorBody(reason, { details: "why", fbtraceId: "A1" });
    assert.equal(httpStatus(reason), http);
    assert.equal(error.code, code);
    assert.equal(error.error_subcode, subcode);
    assert.match(error.message, new RegExp(`^\\(#${code}\\) \\S`));
  });
}

test("an error body has Meta's shape", () => {
  assert.deepEqual(errorBody("content_missing", { details: "text.body is missing", fbtraceId: "A1" }), {
    error: {
      message: "(#131008) Required parameter is missing",
      type: "OAuthException",
      code: 131008,
      error_data: { messaging_product: "whatsapp", details: "text.body is missing" },
      fbtrace_id: "A1",
    },
  });
});

test("a message's error repeats its title as message", () => {
  const error = messageError("window_closed", "last message 30 hours ago");
  assert.equal(error.code, 131047);
  assert.equal(error.title, error.message);
  assert.equal(error.details, "last message 30 hours ago");
});

test("only words of the table are reasons", () => {
  assert.equal(isCloudReason("window_closed"), true);
  assert.equal(isCloudReason("toString"), false);
});
