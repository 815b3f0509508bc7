// The bench's webhook receiver, a process of its own: checks each signature, counts statuses, keeps no bodies.
import { createServer } from "node:http";
import { z } from "zod";
import { verify } from "#dialects/signature.ts";

const value = z.object({
  statuses: z.array(z.object({ status: z.string() })).optional(),
  messages: z.array(z.unknown()).optional(),
});
const payload = z.object({ entry: z.array(z.object({ changes: z.array(z.object({ value })) })) });

const [port = "0", secret = ""] = process.argv.slice(2);
const counts: Record<string, number> = { requests: 0, badSignature: 0, lastAtMs: 0 };

function count(name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function receive(body: Buffer, signature: string): void {
  count("requests");
  if (!verify([secret], body, signature)) return count("badSignature");
  counts["lastAtMs"] = performance.timeOrigin + performance.now();
  const changes = payload.parse(JSON.parse(body.toString("utf8"))).entry.flatMap((entry) => entry.changes);
  for (const { value } of changes) {
    for (const { status } of value.statuses ?? []) count(status);
    for (const _message of value.messages ?? []) count("messages");
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
