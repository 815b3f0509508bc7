// The bench's webhook receiver, a process of its own: checks each signature, notes which statuses each message had, keeps no bodies.
import { createServer } from "node:http";
import { z } from "zod";
import { verify } from "#dialects/signature.ts";
import type { Counts } from "./deliveries.ts";

const value = z.object({
  statuses: z.array(z.object({ id: z.string(), status: z.string() })).optional(),
  messages: z.array(z.unknown()).optional(),
});
const payload = z.object({ entry: z.array(z.object({ changes: z.array(z.object({ value })) })) });

const [port = "0", secret = ""] = process.argv.slice(2);
const counts: Counts = { requests: 0, badSignature: 0, inbound: 0, complete: 0, failed: 0, repeated: 0, lastAtMs: 0 };

/** A bit for each status. */
const bits: ReadonlyMap<string, number> = new Map([
  ["sent", 1],
  ["delivered", 2],
  ["read", 4],
  ["failed", 8],
]);
// A read that overtakes delivered takes its place: states only move forward.
const needed = 5;
const statuses = new Map<string, number>();

function isComplete(seen: number): boolean {
  return (seen & needed) === needed;
}

function note(id: string, status: string): void {
  const before = statuses.get(id) ?? 0;
  const after = before | (bits.get(status) ?? 0);
  if (after === before) counts.repeated += 1;
  if (isComplete(after) && !isComplete(before)) counts.complete += 1;
  if (status === "failed" && after !== before) counts.failed += 1;
  statuses.set(id, after);
}

function receive(body: Buffer, signature: string): void {
  counts.requests += 1;
  if (!verify([secret], body, signature)) {
    counts.badSignature += 1;
    return;
  }
  counts.lastAtMs = performance.timeOrigin + performance.now();
  const changes = payload.parse(JSON.parse(body.toString("utf8"))).entry.flatMap((entry) => entry.changes);
  for (const { value } of changes) {
    for (const { id, status } of value.statuses ?? []) note(id, status);
    counts.inbound += value.messages?.length ?? 0;
  }
}

createServer((request, response) => {
  if (request.method === "GET") {
    response.setHeader("content-type", "application/json").end(JSON.stringify(counts));
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    receive(Buffer.concat(chunks), String(request.headers["x-hub-signature-256"] ?? ""));
    response.end();
  });
}).listen(Number(port), "127.0.0.1");
