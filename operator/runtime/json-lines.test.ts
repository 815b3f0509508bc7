import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lines } from "./json-lines.ts";

async function read(chunks: readonly Uint8Array[]): Promise<{ whole: string[]; rest: string | undefined }> {
  const whole: string[] = [];
  let rest: string | undefined;
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  for await (const line of lines(stream(), (last) => (rest = last))) whole.push(line);
  return { whole, rest };
}

test("lines come out as they went in, wherever the stream is cut into chunks", async () => {
  const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(200)), async (texts, cuts) => {
      const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""));
      const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
      assert.deepEqual(await read(chunks), { whole: texts, rest: undefined });
    }),
  );
});

test("half a line at the end is no line", async () => {
  assert.deepEqual(await read([Buffer.from('{"a":1}\n{"b"')]), { whole: ['{"a":1}'], rest: '{"b"' });
});
