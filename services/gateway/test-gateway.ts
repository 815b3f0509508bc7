// For the tests: the real gateway on a real Postgres, and its peers as one gRPC server that records what it is asked.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type GrpcServer, serve, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import { currentTraceparent } from "#lib/telemetry.ts";
import { type MarkReadRequest, UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import {
  type CancelMessagesRequest,
  type ExplainRequest,
  type ExplainResponseSchema,
  type IngestRequest,
  Lane,
  type ListMessagesRequest,
  MessagesService,
  MessageState,
  NumberSchema,
  type SendRequest,
  type WatchNumbersResponseSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import {
  type CheckTemplateMessageRequest,
  type CheckTemplateMessageResponse,
  CheckTemplateMessageResponseSchema,
  TemplatesService,
} from "#proto/heliograph/templates/v1/templates_pb.ts";
import { privateFolder } from "#test/env/folder.ts";
import { testLog } from "#test/env/log.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { startGateway } from "./start.ts";

export const phoneNumberId = "106500000000001";
export const appSecret = "app secret";
export const token = "test-token";

/** What the peers were asked, and what they answer. */
export type Peers = {
  sent: SendRequest[];
  ingested: IngestRequest[];
  /** The traceparent of the last ingest. */
  trace: string | undefined;
  read: MarkReadRequest[];
  checked: CheckTemplateMessageRequest[];
  listed: ListMessagesRequest[];
  cancelled: CancelMessagesRequest[];
  explained: ExplainRequest[];
  explanation: MessageInitShape<typeof ExplainResponseSchema>;
  /** Thrown by the next calls, one each, before anything is recorded as taken. */
  faults: Error[];
  verdict: CheckTemplateMessageResponse["verdict"];
};

function messagesService(peers: Peers, address: () => string) {
  return serve(MessagesService, {
    async send(request) {
      peers.sent.push(request);
      const fault = peers.faults.shift();
      if (fault !== undefined) throw fault;
      const first = peers.sent.find(({ idempotency }) => idempotency?.key === (request.idempotency?.key ?? ""));
      return { messageId: first?.messageId ?? request.messageId };
    },
    async explain(request) {
      peers.explained.push(request);
      return peers.explanation;
    },
    async ingest(request) {
      const fault = peers.faults.shift();
      if (fault !== undefined) throw fault;
      peers.ingested.push(request);
      peers.trace = currentTraceparent();
      return {};
    },
    async getMessage({ messageId }) {
      const fault = peers.faults.shift();
      if (fault !== undefined) throw fault;
      return {
        message: {
          messageId,
          phoneNumberId,
          recipient: "15550001111",
          attempt: 1,
          state: MessageState.SENT,
          lane: Lane.REPLY,
        },
      };
    },
    async listMessages(request) {
      peers.listed.push(request);
      const isLast = request.pageToken !== "";
      return {
        messages: isLast
          ? []
          : [
              {
                messageId: "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f",
                phoneNumberId,
                state: MessageState.READ,
                lane: Lane.REPLY,
              },
            ],
        nextPageToken: isLast ? "" : "next",
      };
    },
    async cancelMessages(request) {
      const fault = peers.faults.shift();
      if (fault !== undefined) throw fault;
      peers.cancelled.push(request);
      return { cancelled: 3n };
    },
    async *watchNumbers(_request, { signal }): AsyncGenerator<MessageInitShape<typeof WatchNumbersResponseSchema>> {
      const number = { phoneNumberId, wabaId: "waba1", displayPhoneNumber: "15550009999" };
      const connection = { connected: true, address: address() };
      yield { change: { case: "number", value: create(NumberSchema, { ...number, connection }) } };
      const silent = { phoneNumberId: "2", wabaId: "waba1", displayPhoneNumber: "15550009998" };
      yield { change: { case: "number", value: create(NumberSchema, silent) } };
      yield { change: { case: "synced", value: true } };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  });
}

function otherServices(peers: Peers) {
  return [
    serve(TemplatesService, {
      async checkTemplateMessage(request) {
        peers.checked.push(request);
        return { verdict: peers.verdict };
      },
    }),
    serve(UpstreamService, {
      async markRead(request) {
        const fault = peers.faults.shift();
        if (fault !== undefined) throw fault;
        peers.read.push(request);
        return {};
      },
    }),
  ];
}

export type Started = AsyncDisposable & {
  api: string;
  http: string;
  peers: Peers;
  /** The folder with the token file and the app secrets. */
  folder: string;
  /** Ends the peers' server. */
  stopPeers(): Promise<void>;
  /** Starts it again at its address, and waits for the gateway to notice. */
  startPeers(): Promise<void>;
};

export async function startTestGateway(env: Record<string, string> = {}): Promise<Started> {
  await using opened = new AsyncDisposableStack();
  const peers: Peers = {
    sent: [],
    ingested: [],
    trace: undefined,
    read: [],
    checked: [],
    listed: [],
    cancelled: [],
    explained: [],
    explanation: {},
    faults: [],
    verdict: sendable("UTILITY"),
  };
  let server: GrpcServer | undefined;
  const services = [messagesService(peers, () => server?.address ?? ""), ...otherServices(peers)];
  const listen = async (port: number): Promise<GrpcServer> => {
    const registry = createRegistry("test");
    return startGrpc({ host: "127.0.0.1", port, services, log: testLog, registry, reflection: false });
  };
  const stopPeers = async (): Promise<void> => server?.[Symbol.asyncDispose]();
  server = await listen(0);
  const { address, port } = server;
  opened.defer(stopPeers);
  const database = opened.use(await privateDatabase({ services: ["gateway"] }));
  const folder = writeSecrets();
  const config = readConfig({
    DATABASE_URL: database.url,
    MESSAGES_ADDRESS: address,
    TEMPLATES_ADDRESS: address,
    API_TOKEN_FILE: join(folder, "token"),
    META_APP_SECRETS_DIR: join(folder, "secrets"),
    META_VERIFY_TOKEN_FILE: join(folder, "verify-token"),
    LOG_LEVEL: testLog.level,
    ...env,
  });
  const gateway = opened.use(await startGateway({ config, now: () => new Date() }));
  const isReady = async (): Promise<boolean> => (await fetch(`${gateway.http}/readyz`)).ok;
  await until(isReady);
  const running = opened.move();
  return {
    ...gateway,
    peers,
    folder,
    stopPeers,
    async startPeers() {
      server = await listen(port);
      await until(isReady);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

export function sendable(category: string): Peers["verdict"] {
  return create(CheckTemplateMessageResponseSchema, { verdict: { case: "sendable", value: { category } } }).verdict;
}

export function templateRefusal(reason: string, details: string): Peers["verdict"] {
  const verdict = { case: "refusal" as const, value: { reason, details } };
  return create(CheckTemplateMessageResponseSchema, { verdict }).verdict;
}

function writeSecrets(): string {
  const folder = privateFolder("gateway");
  mkdirSync(join(folder, "secrets"));
  writeFileSync(join(folder, "secrets", "app"), appSecret);
  writeFileSync(join(folder, "token"), `${token}\n`);
  writeFileSync(join(folder, "verify-token"), "verify me\n");
  return folder;
}

export type Answer = { status: number; headers: Headers; json: unknown };

/** POST to the messages endpoint with the valid token, unless told otherwise. */
export async function post(
  { api }: Pick<Started, "api">,
  body: unknown,
  { number = phoneNumberId, headers = {} }: { number?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${api}/v24.0/${number}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

export function textMessage(fields: object = {}): object {
  return { messaging_product: "whatsapp", to: "+1 555 000 1111", type: "text", text: { body: "hello" }, ...fields };
}

export function templateMessage(fields: object = {}): object {
  const template = { name: "order_update", language: { code: "en_US" } };
  return { messaging_product: "whatsapp", to: "15550001111", type: "template", template, ...fields };
}
