import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSeries } from "./scrape.ts";

test("series are read with and without labels, comments are not", () => {
  const text = '# HELP up whether\nup 1\ncalls_total{service="a.B",code="OK"} 12\nempty{} 0.5\n';
  assert.deepEqual(parseSeries(text), [
    { name: "up", labels: {}, value: 1 },
    { name: "calls_total", labels: { service: "a.B", code: "OK" }, value: 12 },
    { name: "empty", labels: {}, value: 0.5 },
  ]);
});
