// A customer's endpoint for tests: a real HTTP server that remembers what came and answers as it is told.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export type Received = {
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  /** Of the first status or message in the body: its id and, for a status, the word. */
  label: string;
};

/** A status code, a code with headers, or "hang": no answer until the test ends. */
type Answer = number | { status: number; headers: Record<string, string> } | "hang";

export type Receiver = AsyncDisposable & {
  url(path: string): string;
  /** All that came to the path, in order. */
  on(path: string): Received[];
  /** How requests to the path are answered from now on; 200 if never told. */
  answer(path: string, decide: (received: Received) => Answer): void;
  /** Answers all that hang. */
  release(status: number): void;
};

export async function startReceiver(): Promise<Receiver> {
  const all: Received[] = [];
  const rules = new Map<string, (received: Received) => Answer>();
  const hanging = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const path = request.url ?? "";
      const received = { path, headers: request.headers, body, label: labelOf(body) };
      all.push(received);
      const answer = rules.get(path)?.(received) ?? 200;
      if (answer === "hang") hanging.add(response);
      else if (typeof answer === "number") response.writeHead(answer).end();
      else response.writeHead(answer.status, answer.headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    on: (path) => all.filter((received) => received.path === path),
    answer: (path, decide) => void rules.set(path, decide),
    release(status) {
      for (const response of hanging) response.writeHead(status).end();
      hanging.clear();
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type CloudBody = {
  entry: { changes: { value: { statuses?: { id: string; status: string }[]; messages?: { id: string }[] } }[] }[];
};

function labelOf(body: Buffer): string {
  const parsed: CloudBody = JSON.parse(body.toString("utf8"));
  const value = parsed.entry[0]?.changes[0]?.value;
  const status = value?.statuses?.[0];
  return status === undefined ? (value?.messages?.[0]?.id ?? "") : `${status.id} ${status.status}`;
}
