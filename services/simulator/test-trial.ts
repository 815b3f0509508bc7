// For tests: a simulator on free ports, and a business that calls Graph and receives the webhooks.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { type Simulator, startSimulator } from "./start.ts";

/** One value of `changes`, with what it stood in. */
export type ReceivedChange = { entryId: string; time: number | undefined; field: string; value: ReceivedValue };

export type ReceivedValue = {
  metadata?: { display_phone_number: string; phone_number_id: string };
  contacts?: unknown[];
  statuses?: ReceivedStatus[];
  messages?: ReceivedMessage[];
  [key: string]: unknown;
};

export type ReceivedStatus = {
  id: string;
  status: string;
  timestamp: string;
  recipient_id: string;
  biz_opaque_callback_data?: string;
  pricing?: { type: string; category: string };
  errors?: { code: number }[];
};

export type ReceivedMessage = { id: string; from: string; type: string; [key: string]: unknown };

export type ReceivedPost = { signature: string; raw: Buffer; changes: ReceivedChange[]; at: number };

export type Receiver = AsyncDisposable & {
  url: string;
  /** Every POST, in the order of arrival, whatever it was answered. */
  posts: ReceivedPost[];
  /** The challenges answered. */
  handshakes: number;
  /** The HTTP status of the next answer; 200 unless set. */
  answer: () => number;
  /** The verify token that the handshake must bring; undefined refuses any. */
  verifyToken: string | undefined;
  changes(): ReceivedChange[];
  statuses(): ReceivedStatus[];
  messages(): ReceivedMessage[];
  /** The statuses of one message, in the order of arrival. */
  statusesOf(wamid: string): string[];
};

export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "GET") return shakeHands(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const raw = Buffer.concat(chunks);
    const signature = String(request.headers["x-hub-signature-256"]);
    receiver.posts.push({ signature, raw, changes: changesOf(raw), at: performance.now() });
    response.writeHead(receiver.answer()).end();
  }

  function shakeHands(request: IncomingMessage, response: ServerResponse): void {
    const { searchParams } = new URL(request.url ?? "/", "http://receiver");
    const good =
      searchParams.get("hub.mode") === "subscribe" && searchParams.get("hub.verify_token") === receiver.verifyToken;
    if (good) receiver.handshakes += 1;
    response.writeHead(good ? 200 : 403).end(good ? searchParams.get("hub.challenge") : "no");
  }

  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/webhooks?tenant=1`,
    posts: [],
    handshakes: 0,
    answer: () => 200,
    verifyToken: "simulator-verify-token",
    changes: () => receiver.posts.flatMap(({ changes }) => changes),
    statuses: () => receiver.changes().flatMap(({ value }) => value.statuses ?? []),
    messages: () => receiver.changes().flatMap(({ value }) => value.messages ?? []),
    statusesOf: (wamid) =>
      receiver
        .statuses()
        .filter(({ id }) => id === wamid)
        .map(({ status }) => status),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

type Envelope = { entry: { id: string; time?: number; changes: { field: string; value: ReceivedValue }[] }[] };

function changesOf(raw: Buffer): ReceivedChange[] {
  const envelope: Envelope = JSON.parse(raw.toString());
  return envelope.entry.flatMap(({ id, time, changes }) => changes.map((change) => ({ entryId: id, time, ...change })));
}

function parseJson(text: string) {
  return JSON.parse(text);
}

export type Answer = { status: number; body: ReturnType<typeof parseJson> };

export type Trial = AsyncDisposable & {
  simulator: Simulator;
  receiver: Receiver;
  graph(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Sends, asserts the 200, and gives the wamid. */
  send(to: string, message: object, from?: string): Promise<string>;
  /** The user writes to the orders number; the wamid of it. */
  write(user: string, message: object): Promise<string>;
  /** Waits until the business has heard of these statuses of a message, in any order. */
  heard(wamid: string, ...statuses: string[]): Promise<void>;
};

export const orders = "106540352242922";
export const care = "106540352242923";
export const waba = "102290129340398";

export const hello = { type: "template", template: { name: "hello_world", language: { code: "en_US" } } };
export const text = (body: string) => ({ type: "text", text: { body } });

type TrialOptions = { env?: Record<string, string>; now?: () => Date };

/** Phones deliver and read within milliseconds; webhooks are tried again after 20 ms. */
export async function startTrial({ env = {}, now = () => new Date() }: TrialOptions = {}): Promise<Trial> {
  await using opened = new AsyncDisposableStack();
  const receiver = opened.use(await startReceiver());
  const config = readConfig({
    LOG_LEVEL: "silent",
    WEBHOOK_URL: receiver.url,
    DELIVER_AFTER_MS: "5",
    READ_AFTER_MS: "5",
    WEBHOOK_RETRY_BASE_MS: "20",
    ...env,
  });
  const simulator = opened.use(await startSimulator({ config, now }));

  async function call(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${simulator.apiUrl}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: parseJson(await response.text()) };
  }

  const trial: Omit<Trial, typeof Symbol.asyncDispose> = {
    simulator,
    receiver,
    graph: (method, path, body, headers = { authorization: "Bearer simulator-access-token" }) =>
      call(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    admin: (method, path, body) =>
      call(`/admin/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) }),
    async send(to, message, from = orders) {
      const answer = await trial.graph("POST", `/v24.0/${from}/messages`, {
        messaging_product: "whatsapp",
        to,
        ...message,
      });
      if (answer.status !== 200) throw new Error(`send was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return answer.body["messages"][0].id;
    },
    async write(user, message) {
      const { body } = await trial.admin("POST", `phones/${user}/messages`, { to: "15550100001", ...message });
      return body["wamid"];
    },
    async heard(wamid, ...statuses) {
      const wanted = statuses.toSorted().join();
      await until(() => receiver.statusesOf(wamid).toSorted().join() === wanted, { message: `statuses ${wanted}` });
    },
  };
  const all = opened.move();
  return { ...trial, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
