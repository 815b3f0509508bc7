// A webhook receiver for the first try: checks signatures, prints what arrives, and keeps it for scripts.
//   POST /webhook   a delivery; 200, or 401 if the signature is not good, or the status that /fail ordered
//   GET  /log       {"entries": [{seq, receivedAt, signatureOk, status, body}]}; ?after=SEQ gives later ones only
//   POST /fail      {"status": 500, "times": 3}: answers the next deliveries with that status
//   GET  /metrics   as every process of ours
import { readdirSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Counter } from "prom-client";
import { z } from "zod";
import { verify } from "#dialects/signature.ts";
import { parseVerbatim } from "#dialects/verbatim-json.ts";
import { filePath, host, port, readEnv, readSecretFile } from "#lib/config.ts";
import { createRegistry } from "#lib/http.ts";
import { run, type Started } from "#lib/lifecycle.ts";
import { describeWebhook } from "./webhook-lines.ts";

const schema = z.object({
  LISTEN_HOST: host.default("127.0.0.1"),
  PORT: port.default(0),
  /** A folder with a file for each secret that may sign. */
  SECRETS_DIR: filePath,
  /** Whether lines are printed. */
  PRINT: z.stringbool().default(true),
});

type Options = {
  host: string;
  port: number;
  secrets: readonly string[];
  print: (line: string) => void;
  now: () => Date;
};

export type Receiver = Started & { url: string };

type Entry = { seq: number; receivedAt: string; signatureOk: boolean; status: number; raw: string };

// About 50 MB at the size of a usual webhook.
const mostEntries = 50_000;
const fault = z.object({ status: z.int().min(200).max(599), times: z.int().min(0).default(1) });

export async function startReceiver({ host: address, port: wanted, secrets, print, now }: Options): Promise<Receiver> {
  const entries: Entry[] = [];
  let seq = 0;
  let failing = { status: 500, times: 0 };
  const { registry, deliveries } = createMetrics();

  async function receive(request: IncomingMessage): Promise<number> {
    const raw = await bytesOf(request);
    const signatureOk = verify(secrets, raw, headerOf(request, "x-hub-signature-256"));
    const ordered = failing.times > 0 ? failing.status : 200;
    if (failing.times > 0) failing = { ...failing, times: failing.times - 1 };
    const status = signatureOk ? ordered : 401;
    const entry = { seq: ++seq, receivedAt: now().toISOString(), signatureOk, status, raw: raw.toString("utf8") };
    deliveries.inc({ status });
    entries.push(entry);
    if (entries.length > mostEntries) entries.shift();
    for (const line of linesOf(entry)) print(line);
    return status;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://receiver");
    switch (`${request.method} ${pathname}`) {
      case "POST /webhook":
        return send(response, await receive(request), "");
      case "GET /log":
        return send(response, 200, logJson(entries, Number(searchParams.get("after") ?? 0)));
      case "POST /fail": {
        const parsed = fault.safeParse(parseJson(await text(request)));
        if (!parsed.success) return send(response, 400, '{"error":"expected {\\"status\\": 500, \\"times\\": 3}"}\n');
        failing = parsed.data;
        return send(response, 200, `${JSON.stringify(failing)}\n`);
      }
      case "GET /healthz":
      case "GET /readyz":
        return send(response, 200, '{"ready":true}\n');
      case "GET /metrics":
        return send(response, 200, await registry.metrics(), registry.contentType);
      default:
        return send(response, 404, '{"error":"not found"}\n');
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, address, resolve);
  });
  const bound = server.address();
  const boundPort = typeof bound === "object" && bound !== null ? bound.port : wanted;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${boundPort}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createMetrics() {
  const registry = createRegistry("receiver");
  const deliveries = new Counter({
    name: "receiver_deliveries_total",
    help: "Deliveries that came, by the status they were answered with",
    labelNames: ["status"],
    registers: [registry],
  });
  return { registry, deliveries };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}

function linesOf({ receivedAt, signatureOk, status, raw }: Entry): string[] {
  const body = parseJson(raw);
  const lines = body === undefined ? ["a body that is not JSON"] : describeWebhook(body);
  const remark = signatureOk ? (status === 200 ? "" : `  answered ${status}`) : "  SIGNATURE IS NOT GOOD, answered 401";
  return lines.map((line) => `${receivedAt.slice(11)}  ${line}${remark}`);
}

/** The bodies stand in it as they came, so that reading the log does not parse them. */
function logJson(entries: readonly Entry[], after: number): string {
  const items = entries
    .filter(({ seq }) => seq > after)
    .map(({ raw, ...rest }) => {
      const body = parseJson(raw) === undefined ? JSON.stringify(raw) : raw;
      return `${JSON.stringify(rest).slice(0, -1)},"body":${body}}`;
    });
  return `{"entries":[${items.join(",\n")}]}\n`;
}

/** Ids may be numbers beyond 2^53: they are printed as they came. */
function parseJson(json: string): unknown {
  try {
    return parseVerbatim(json);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: string, type = "application/json"): void {
  response.writeHead(status, { "content-type": type }).end(body);
}

/** A receiver as the environment says. */
export function startFrom(env: Record<string, string | undefined>): Promise<Receiver> {
  const config = readEnv(schema, env);
  const files = readdirSync(config.SECRETS_DIR).map((name) => join(config.SECRETS_DIR, name));
  // The terminal may go away before we do.
  process.stdout.on("error", () => undefined);
  return startReceiver({
    host: config.LISTEN_HOST,
    port: config.PORT,
    secrets: files.map(readSecretFile),
    print: config.PRINT ? (line) => process.stdout.write(`${line}\n`) : () => undefined,
    now: () => new Date(),
  });
}

if (import.meta.main) await run(() => startFrom(process.env));
