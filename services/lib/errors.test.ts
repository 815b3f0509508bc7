import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOfStatus, ServiceError, statusOfCode } from "./errors.ts";

test("a code and its number on the wire are each other's inverse", () => {
  assert.equal(statusOfCode("INVALID_ARGUMENT"), 3);
  assert.equal(statusOfCode("UNAUTHENTICATED"), 16);
  for (let status = 1; status <= 16; status += 1) assert.equal(statusOfCode(codeOfStatus(status)), status);
});

test("a number that is no code is UNKNOWN", () => {
  assert.equal(codeOfStatus(0), "UNKNOWN");
  assert.equal(codeOfStatus(99), "UNKNOWN");
});

test("from passes a ServiceError through and keeps the cause of anything else", () => {
  const fault = new ServiceError("NOT_FOUND", "number_unknown", "number 1 is unknown", { retryAfterMs: 5 });
  assert.equal(ServiceError.from(fault), fault);
  assert.equal(fault.retryAfterMs, 5);
  const bug = new TypeError("x is undefined");
  const wrapped = ServiceError.from(bug);
  assert.equal(wrapped.code, "INTERNAL");
  assert.equal(wrapped.message, "internal error");
  assert.equal(wrapped.cause, bug);
});

test("an abort is CANCELLED, not a bug", () => {
  assert.equal(ServiceError.from(new DOMException("stop", "AbortError")).code, "CANCELLED");
});
