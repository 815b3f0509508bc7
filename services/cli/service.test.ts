// The commands as a person runs them, against peers with which they speak gRPC, HTTP and NATS.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, pid, platform } from "node:process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { toWamid } from "#dialects/message-id.ts";
import { toMessageJson } from "#dialects/message-json.ts";
import { ServiceError } from "#lib/errors.ts";
import { connectNats } from "#lib/nats.ts";
import { InboundEventSchema, MessageEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import {
  type CancelMessagesRequest,
  type ListMessagesRequest,
  MessageSchema,
  MessageState,
  type NumberSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { until } from "#test/until.ts";
import { type Answer, now, run, start, startGateway, startPeers } from "./test-cli.ts";

const messageId = "01935940-0000-7000-8000-000000000001";
const at = timestampFromDate(new Date("2026-11-23T11:59:00Z"));

const orders: MessageInitShape<typeof NumberSchema> = {
  phoneNumberId: "100",
  wabaId: "900",
  name: "orders",
  displayPhoneNumber: "15550100001",
  connection: { connected: true, term: 3n, holder: "local/orders", since: at, cause: "expired" },
};
const support: MessageInitShape<typeof NumberSchema> = {
  phoneNumberId: "200",
  wabaId: "900",
  name: "support",
  displayPhoneNumber: "15550100002",
  connection: { connected: true, term: 1n, standing: "conflict", since: at },
};
const listNumbers = () => Promise.resolve({ numbers: [orders, support] });

const row: MessageInitShape<typeof MessageSchema> = {
  messageId,
  phoneNumberId: "100",
  recipient: "12025550123",
  state: MessageState.FAILED,
  campaign: "spring",
  attempt: 1,
  term: 3n,
  reason: "upstream_refused",
  error: { code: 131026, title: "Undeliverable" },
  acceptedAt: at,
  history: [
    { state: MessageState.ACCEPTED, at },
    { state: MessageState.SENDING, at, attempt: 1, term: 3n },
    { state: MessageState.FAILED, at, attempt: 1, term: 3n, reason: "upstream_refused" },
  ],
};

test("status shows connection, standing, what waits, quality and limit of every number", async () => {
  await using peers = await startPeers({
    messages: {
      listNumbers,
      listMessages: ({ phoneNumberId, state }) =>
        Promise.resolve(
          phoneNumberId === "100" && state === MessageState.WAITING ? { messages: [row], nextPageToken: "more" } : {},
        ),
    },
    quality: {
      getNumberQuality: ({ phoneNumberId }) =>
        phoneNumberId === "100"
          ? Promise.resolve({ quality: { qualityRating: "GREEN", messagingLimit: 250n, used: 7n } })
          : Promise.reject(new ServiceError("NOT_FOUND", "number_unknown", "nothing is known of number 200")),
    },
  });
  const { code, out, err } = await run(["status"], peers.env);
  assert.equal(err, "");
  assert.equal(code, 0);
  const [, first = "", second = ""] = out.split("\n");
  const since = "2026-11-23T11:59:00.000Z";
  assert.deepEqual(
    [first.split(/\s+/), second.split(/\s+/)],
    [
      ["orders", "100", "+15550100001", "yes", "3", since, "expired", "sends", "1+", "GREEN", "250", "7"],
      ["support", "200", "+15550100002", "yes", "1", since, "-", "conflict", "0", "-", "-", "-"],
    ],
  );
  const json = JSON.parse((await run(["status", "--json"], peers.env)).out);
  assert.deepEqual(json.processes, []);
  assert.equal(json.numbers[0].quality.messagingLimit, 250);
  assert.equal(json.numbers[1].quality, null);
});

test("status says in the service's words what it could not learn, and shows the rest", async () => {
  await using peers = await startPeers({ messages: { listNumbers } });
  const { code, out, err } = await run(["status"], peers.env);
  assert.equal(code, 0);
  assert.match(out, /orders/);
  assert.match(err, /what waits is not known: ListMessages is not built yet \(UNIMPLEMENTED not_built\)/);
  assert.match(err, /quality is not known: GetNumberQuality is not built yet/);
});

test("status of a local run shows its processes, and that one is gone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-cli-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const command =
    platform === "linux"
      ? readFileSync("/proc/self/cmdline", "utf8").replaceAll("\0", " ").trim()
      : execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).trim();
  const own = { name: "billing", pid, http: null, grpc: "127.0.0.1:1", command };
  const processes = [own, { ...own, name: "quality", command: "another" }];
  writeFileSync(join(folder, "run.json"), JSON.stringify({ gateway: "http://127.0.0.1:1", token: "t", processes }));
  await using peers = await startPeers({ messages: { listNumbers } });
  const { out } = await run(["status", "--json", "--data", folder], peers.env);
  const states = JSON.parse(out).processes.map(({ name, state }: { name: string; state: string }) => [name, state]);
  assert.deepEqual(states, [
    ["billing", "up"],
    ["quality", "gone"],
  ]);
});

test("messages passes the filters on, reads page after page, and stops at the limit", async () => {
  const requests: ListMessagesRequest[] = [];
  await using peers = await startPeers({
    messages: {
      listNumbers,
      listMessages: (request) => {
        requests.push(request);
        return Promise.resolve({ messages: [row], nextPageToken: `after ${requests.length}` });
      },
    },
  });
  const filters = ["--number", "orders", "--to", "+12025550123", "--state", "failed", "--since", "1h"];
  const { code, out } = await run(["messages", ...filters, "--limit", "3"], peers.env);
  assert.equal(code, 0);
  assert.equal(out.split("\n").length, 4);
  assert.match(out, /failed +upstream_refused: 131026 Undeliverable +- +spring$/m);
  assert.deepEqual(
    requests.map(({ pageToken, pageSize }) => [pageToken, pageSize]),
    [
      ["", 3],
      ["after 1", 2],
      ["after 2", 1],
    ],
  );
  const [{ phoneNumberId, recipient, state, from } = assert.fail()] = requests;
  assert.deepEqual([phoneNumberId, recipient, state], ["100", "12025550123", MessageState.FAILED]);
  assert.equal(from && timestampDate(from).getTime(), now.getTime() - 3_600_000);
});

test("a name that no number has is told with the names that there are", async () => {
  await using peers = await startPeers({ messages: { listNumbers } });
  const { code, err } = await run(["messages", "--number", "sales"], peers.env);
  assert.equal(code, 1);
  assert.match(err, /no number is named sales; there are: orders, support/);
});

test("what a service has not built is told in its words", async () => {
  await using peers = await startPeers({});
  const { code, out, err } = await run(["messages"], peers.env);
  assert.deepEqual([code, out], [1, ""]);
  assert.equal(err, "heliograph: ListMessages is not built yet (UNIMPLEMENTED not_built)");
});

test("one message is shown with its history", async () => {
  await using peers = await startPeers({ messages: { getMessage: () => Promise.resolve({ message: row }) } });
  const { out } = await run(["messages", toWamid(messageId)], peers.env);
  assert.match(out, /^attempt +1, under term 3$/m);
  assert.match(out, /^2026-11-23T11:59:00.000Z +sending +1 +3 +-$/m);
  const json = JSON.parse((await run(["messages", messageId, "--json"], peers.env)).out);
  assert.deepEqual(json, toMessageJson(create(MessageSchema, row)));
});

test("cancel of a message that is on its way already fails", async () => {
  const requests: CancelMessagesRequest[] = [];
  let cancelled = 0n;
  await using peers = await startPeers({
    messages: {
      cancelMessages: (request) => {
        requests.push(request);
        return Promise.resolve({ cancelled });
      },
      getMessage: () => Promise.resolve({ message: row }),
    },
  });
  const late = await run(["cancel", messageId], peers.env);
  assert.deepEqual([late.code, late.out], [1, `not cancelled: ${messageId} is failed already`]);
  cancelled = 1n;
  const early = await run(["cancel", messageId], peers.env);
  assert.deepEqual([early.code, early.out], [0, `cancelled ${messageId}`]);
  cancelled = 41n;
  const campaign = await run(["cancel", "--campaign", "spring", "--number", "100"], peers.env);
  assert.deepEqual([campaign.code, campaign.out], [0, "cancelled 41 messages of campaign spring"]);
  assert.deepEqual(
    [requests[0]?.messageId, requests[2]?.campaign, requests[2]?.phoneNumberId],
    [messageId, "spring", "100"],
  );
});

test("recover says what it would do, and does it only for --yes", async () => {
  const asked: Date[] = [];
  const grantsAfter = timestampFromDate(now);
  await using peers = await startPeers({
    messages: {
      recover: ({ since }) => {
        if (since !== undefined) asked.push(timestampDate(since));
        return Promise.resolve({ messages: 41n, events: 90n, grantsAfter, repeated: asked.length > 1 });
      },
    },
  });
  const line = ["recover", "--since", "2026-11-23T11:00:00Z"];
  const plan = await run(line, peers.env);
  assert.deepEqual([plan.code, plan.out, asked.length], [1, "", 0]);
  assert.match(plan.err, /lost commits after 2026-11-23T11:00:00.000Z[^]*Nothing was done. Say --yes/);
  const done = await run([...line, "--yes"], peers.env);
  assert.equal(done.code, 0);
  assert.equal(done.out, "41 messages unknown, 90 events told again, leases granted from 2026-11-23T12:00:00.000Z on");
  assert.deepEqual(asked, [new Date("2026-11-23T11:00:00Z")]);
  const { repeated, messages } = JSON.parse((await run([...line, "--yes", "--json"], peers.env)).out);
  assert.deepEqual([repeated, messages], [true, 41]);
});

test("a message that is not sent yet shows what holds it", async () => {
  const base = { messageId, phoneNumberId: "100", state: MessageState.ACCEPTED };
  const holds = [
    { reason: "behind_earlier", ahead: 2 },
    { reason: "pace", ahead: 100 },
    { reason: "token_refused", until: timestampFromDate(now) },
  ];
  await using peers = await startPeers({
    messages: {
      getMessage: () => Promise.resolve({ message: { ...base, hold: { reason: "number_disconnected" } } }),
      listMessages: () => Promise.resolve({ messages: holds.map((hold) => ({ ...base, hold })) }),
    },
  });
  assert.match((await run(["messages", messageId], peers.env)).out, /^held by +number_disconnected$/m);
  const { out } = await run(["messages"], peers.env);
  assert.match(out, /accepted +behind_earlier: 2 ahead/);
  assert.match(out, /accepted +pace: 100\+ ahead/);
  assert.match(out, /accepted +token_refused until 2026-11-23T12:00:00.000Z/);
});

const accepted: Answer = { status: 200, body: { messages: [{ id: toWamid(messageId) }] } };

test("send posts what a client would, with the token, and tells the id", async () => {
  await using gateway = await startGateway(() => accepted);
  const options = ["--lane", "bulk", "--campaign", "spring", "--ttl", "15m", "--idempotency-key", "k"];
  const template = ["--template", "hello", "--language", "en_US", "--param", "name=Anna"];
  const { code, out } = await run(
    ["send", "--number", "100", "--to", "12025550123", ...template, ...options],
    gateway.env,
  );
  assert.deepEqual([code, out], [0, `accepted  ${messageId}`]);
  const [{ path, headers, body } = assert.fail()] = gateway.received;
  assert.equal(path, "/v24.0/100/messages");
  assert.equal(headers.authorization, "Bearer secret-token");
  const named = ["heliograph-lane", "heliograph-campaign", "heliograph-ttl", "idempotency-key"];
  assert.deepEqual(
    named.map((name) => headers[name]),
    ["bulk", "spring", "900", "k"],
  );
  assert.deepEqual(body, {
    messaging_product: "whatsapp",
    to: "+12025550123",
    type: "template",
    template: {
      name: "hello",
      language: { code: "en_US" },
      components: [{ type: "body", parameters: [{ type: "text", parameter_name: "name", text: "Anna" }] }],
    },
  });
});

const textTo = ["send", "--number", "100", "--to", "12025550123", "--text", "Hi"];

test("send shows Meta's error of a refusal", async () => {
  const error = { code: 131009, message: "Parameter value is not valid", error_data: { details: "no such user" } };
  await using gateway = await startGateway(() => ({ status: 400, body: { error } }));
  const { code, err } = await run(textTo, gateway.env);
  assert.equal(code, 1);
  assert.equal(
    err,
    "heliograph: HTTP 400: (#131009) Parameter value is not valid: no such user (INVALID_ARGUMENT refused)",
  );
});

for (const [sentence, answer] of [
  ["the answer is lost", "cut"],
  ["a part is away", { status: 503, body: {} }],
] satisfies [string, Answer][]) {
  test(`send is tried once when ${sentence}, and tells the key with which to repeat it`, async () => {
    await using gateway = await startGateway(() => answer);
    const { code, err } = await run(textTo, gateway.env);
    assert.equal(code, 1);
    assert.equal(gateway.received.length, 1);
    const key = gateway.received[0]?.headers["idempotency-key"];
    assert.ok(typeof key === "string" && err.includes(`--idempotency-key ${key}`), err);
  });
}

/** Answers a send, then one state after the other; the last one stays. */
function gatewayThatTells(...states: (MessageState | "away")[]) {
  return startGateway(({ method }) => {
    if (method === "POST") return accepted;
    const state = (states.length > 1 ? states.shift() : states[0]) ?? "away";
    if (state === "away") return { status: 503, body: {} };
    return { status: 200, body: toMessageJson(create(MessageSchema, { ...row, reason: "", state })) };
  });
}

test("send --wait follows the message to its end, also while the gateway is away", async () => {
  await using gateway = await gatewayThatTells(MessageState.SENDING, "away", MessageState.SENT, MessageState.READ);
  const { code, out } = await run([...textTo, "--wait"], gateway.env);
  assert.equal(code, 0);
  assert.deepEqual(
    out.split("\n").map((line) => line.split(" ")[0]),
    ["sending", "sent", "read"],
  );
});

test("send --wait fails for a message that failed", async () => {
  await using gateway = await gatewayThatTells(MessageState.FAILED);
  const { code, out } = await run([...textTo, "--wait", "--json"], gateway.env);
  assert.equal(code, 1);
  assert.equal(JSON.parse(out).state, "failed");
});

test("send --wait gives up after its time", async () => {
  await using gateway = await gatewayThatTells(MessageState.SENT);
  const { code, err } = await run([...textTo, "--wait", "--timeout", "1s"], gateway.env);
  assert.equal(code, 1);
  assert.match(err, /is sent, and that is not final, after 1 s/);
});

test("tail shows each event once, phone numbers masked and contents never", async () => {
  await using nats = await privateNats();
  await using publisher = await connectNats({ url: nats.url, name: "test", log: testLog });
  const tail = start(["tail", "--number", "100"], { NATS_URL: nats.url });
  await until(() => tail.err().includes("following"));
  const delivered = toBinary(
    MessageEventSchema,
    create(MessageEventSchema, {
      eventId: `${messageId}.1.delivered`,
      messageId,
      attempt: 1,
      phoneNumberId: "100",
      recipient: "12025550123",
      at,
      campaign: "spring",
    }),
  );
  const inbound = toBinary(
    InboundEventSchema,
    create(InboundEventSchema, {
      eventId: "wamid.X.received",
      wamid: "wamid.X",
      phoneNumberId: "100",
      from: "12025550145",
      type: "text",
      at,
      messageJson: Buffer.from('{"text":{"body":"my secret"}}'),
    }),
  );
  publisher.publish("wa.message.delivered.100", delivered);
  publisher.publish("wa.message.delivered.100", delivered);
  publisher.publish("wa.message.delivered.200", delivered);
  publisher.publish("wa.wake.100");
  publisher.publish("wa.inbound.received.100", inbound);
  await until(() => tail.out().includes("inbound.received"));
  tail.interrupt();
  assert.equal(await tail.code, 0);
  const time = "2026-11-23T11:59:00.000Z";
  assert.deepEqual(
    tail
      .out()
      .split("\n")
      .map((line) => line.split(/\s+/)),
    [
      [time, "message.delivered", "100", "12*******23", messageId, "campaign=spring"],
      [time, "inbound.received", "100", "12*******45", "wamid.X", "text"],
    ],
  );
});

test("where nothing runs, the command says how to come by what it needs", async () => {
  const { code, err } = await run(["status"], {});
  assert.equal(code, 1);
  assert.match(err, /nothing runs on \/nonexistent.*npm start.*--messages HOST:PORT/);
});

test("a place that cannot be one is wrong usage", async () => {
  const { code, err } = await run(["status", "--messages", "nowhere"], {});
  assert.equal(code, 2);
  assert.match(err, /MESSAGES_ADDRESS: expected host:port/);
});

const launcher = fileURLToPath(new URL("heliograph.mjs", import.meta.url));

for (const [args, code, out, err] of [
  [["--help"], 0, /heliograph COMMAND/, /^$/],
  [["bench", "--help"], 0, /--burst/, /^$/],
  [["sned"], 2, /^$/, /there is no command sned/],
] as const) {
  test(`the launcher passes ${args.join(" ")} on and ends with ${code}`, async () => {
    const child = spawn(execPath, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    assert.equal(child.exitCode, code);
    assert.match(stdout, out);
    assert.match(stderr, err);
  });
}
