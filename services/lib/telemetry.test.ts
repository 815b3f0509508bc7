import assert from "node:assert/strict";
import { test } from "node:test";
import { trace } from "@opentelemetry/api";
import {
  currentTraceparent,
  extractTrace,
  injectTrace,
  startTelemetry,
  withRemoteSpan,
  withSpan,
} from "./telemetry.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("a well-formed traceparent becomes the parent", () => {
  const span = trace.getSpanContext(extractTrace(traceparent));
  assert.equal(span?.traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.equal(span?.spanId, "b7ad6b7169203331");
  assert.equal(span?.traceFlags, 1);
});

test("anything else is ignored", () => {
  for (const bad of [undefined, "", "x", `${traceparent}-more`, traceparent.replaceAll(/[0-9a-f]/g, "0")]) {
    assert.equal(trace.getSpanContext(extractTrace(bad)), undefined);
  }
});

test("without an endpoint nothing is loaded and nothing is injected", async () => {
  await using _telemetry = await startTelemetry("demo", {});
  const result = await withSpan("outer", {}, () =>
    withRemoteSpan("inner", traceparent, () => {
      injectTrace({ set: () => assert.fail("nothing to inject") });
      return Promise.resolve(currentTraceparent());
    }),
  );
  assert.equal(result, undefined);
});

test("with an endpoint the caller's trace goes on, and a collector that is away does not hold up the end", async () => {
  const telemetry = await startTelemetry("demo", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const passedOn = await withRemoteSpan("handle", traceparent, () =>
    withSpan("inner", { rows: 1 }, () => Promise.resolve(currentTraceparent())),
  );
  assert.match(passedOn ?? "", /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  assert.notEqual(passedOn, traceparent);
  await assert.rejects(
    withSpan("failing", {}, () => Promise.reject(new Error("x"))),
    /^Error: x$/,
  );
  const startedAt = performance.now();
  await telemetry[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedAt < 5_000);
});
