// A small real HTTP server in WhatsApp's place: it keeps what it was sent and answers as the test says.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

export type Sent = {
  /** performance.now() at its arrival. */
  at: number;
  method: string;
  path: string;
  authorization: string;
  to: string;
  callbackData: string;
  body: Record<string, unknown>;
};

/**
 * `hang`: no answer at all. `cut`: the connection is reset after the request was read. `torn`: the answer breaks off half way.
 * `noise`: what comes is not HTTP.
 */
export type Answer = Reply | "hang" | "cut" | "torn" | "noise";

type Reply = { status: number; body: unknown; headers?: Record<string, string> };

export type TestUpstream = AsyncDisposable & {
  url: string;
  port: number;
  /** All but looks at the number. */
  received: Sent[];
  /** What it tells of the number to one who looks, and how often it was asked. */
  look: () => Answer | Promise<Answer>;
  looks: number;
  /** Of the messages received, the texts. */
  texts(): string[];
  /** How it answers; taken with an id by default. */
  answer: (sent: Sent) => Answer | Promise<Answer>;
};

export function taken(sent: Sent): Answer {
  const messages = [{ id: `wamid.${sent.callbackData}` }];
  return { status: 200, body: { messaging_product: "whatsapp", contacts: [], messages } };
}

export function refused(status: number, code: number): Reply {
  const error = {
    message: `(#${code}) Some title`,
    type: "OAuthException",
    code,
    error_data: { messaging_product: "whatsapp", details: "some details" },
    fbtrace_id: "A",
  };
  return { status, body: { error } };
}

/** A number in good standing, at this throughput level. */
export function connected(level: string): Answer {
  return { status: 200, body: { id: "100200300", status: "CONNECTED", throughput: { level } } };
}

function write(socket: Socket, response: ServerResponse, answer: Answer): void {
  switch (answer) {
    case "hang":
      return;
    case "cut":
      return void socket.resetAndDestroy();
    case "torn":
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"messages":[{"id":');
      return void setImmediate(() => socket.destroy());
    case "noise":
      return void socket.end("220 mail.example ESMTP\r\n");
    default:
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  }
}

/** `port` 0 takes a free one. */
export async function startUpstream(port = 0): Promise<TestUpstream> {
  const received: Sent[] = [];
  const server = createServer((request, response) => void reply(request, response));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = text === "" ? {} : JSON.parse(text);
    const sent: Sent = {
      at,
      method: request.method ?? "",
      path: request.url ?? "",
      authorization: request.headers.authorization ?? "",
      to: String(body.to ?? ""),
      callbackData: String(body.biz_opaque_callback_data ?? ""),
      body,
    };
    const isLook = request.method === "GET" && sent.path.endsWith("?fields=id%2Cstatus%2Cplatform_type%2Cthroughput");
    if (isLook) upstream.looks += 1;
    else received.push(sent);
    write(request.socket, response, await (isLook ? upstream.look() : upstream.answer(sent)));
  }

  const upstream: TestUpstream = {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    received,
    texts: () => received.map(({ body }) => (body["text"] as { body: string } | undefined)?.body ?? ""),
    look: () => connected("HIGH"),
    looks: 0,
    answer: taken,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
  return upstream;
}
