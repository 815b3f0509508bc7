// Explain as its callers meet it: the real ledger on a real Postgres, its peers as gRPC servers of this test, which record whether
// anything but a question was asked.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { type GrpcServer, serve, type Service, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { ExplainVerdict, Lane } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { declare, drawId, type MessagesClient, openStage, type Stage, textTo } from "./test-messages.ts";

const now = new Date();
const hour = 3_600_000;
const later = (ms: number): Date => new Date(now.getTime() + ms);
const user = "4915112345678";

let stage: Stage;
let client: MessagesClient;
let peers: GrpcServer;
const away = new Set<string>();
const overLimit = new Set<string>();
let templateStatus = "APPROVED";
/** RPCs that would have changed something. */
const changes: string[] = [];

function services(): Service[] {
  const count = (peer: string): void => {
    if (away.has(peer)) throw new ServiceError("UNAVAILABLE", "stopping", `${peer} is away`);
  };
  return [
    serve(TemplatesService, {
      async batchGetTemplates({ keys }) {
        count("templates");
        return {
          templates: keys.map(({ wabaId, name, language }) => ({
            wabaId,
            name,
            language,
            status: templateStatus,
            category: "MARKETING",
          })),
        };
      },
      async batchCheckTemplateMessages({ messages }) {
        count("templates");
        const sendable = { case: "sendable", value: { category: "MARKETING" } } as const;
        const refusal = { case: "refusal", value: { reason: "template_parameter_count", details: "body" } } as const;
        return { checks: messages.map(({ components }) => ({ verdict: components.length > 0 ? refusal : sendable })) };
      },
    }),
    serve(BillingService, {
      async batchGetWindows({ queries }) {
        count("billing");
        return { windows: queries.map(() => ({ open: false })) };
      },
    }),
    serve(QualityService, {
      async reserve() {
        changes.push("reserve");
        return {};
      },
      async previewReserve({ items }) {
        count("quality");
        const free = { reason: "limit_reached", earliestAt: timestampFromDate(later(hour)) };
        const results = items.map(({ messageId, user: asked }) => ({
          messageId,
          verdict: overLimit.has(asked)
            ? ({ case: "refusal", value: free } as const)
            : ({ case: "reserved", value: {} } as const),
        }));
        return { results, messagingLimit: 250n, used: 240n, usedAfter: 241n };
      },
    }),
    serve(UpstreamService, {
      async getPace({ recipients }) {
        count("connection");
        return { messagesPerSecond: 20, pairWaitMs: recipients.map(() => 0) };
      },
    }),
  ];
}

before(async () => {
  stage = await openStage(() => now);
  peers = await startGrpc({
    host: "127.0.0.1",
    port: 0,
    services: services(),
    log: testLog,
    registry: createRegistry("peers"),
    reflection: false,
  });
  const { address } = peers;
  client = (await stage.start({ TEMPLATES_ADDRESS: address, BILLING_ADDRESS: address, QUALITY_ADDRESS: address }))
    .client;
});

after(async () => {
  await stage[Symbol.asyncDispose]();
  await peers[Symbol.asyncDispose]();
});

let lastNumber = 700;
let number = "";

beforeEach(async () => {
  lastNumber += 1;
  number = String(lastNumber);
  away.clear();
  overLimit.clear();
  changes.length = 0;
  templateStatus = "APPROVED";
  await declare(client, number, { queueLimit: 3 });
});

async function connect(): Promise<void> {
  const { result } = await client.acquire({
    phoneNumberId: number,
    holder: "pod-a",
    bootId: drawId(now),
    epoch: 1n,
    address: peers.address,
  });
  assert.equal(result.case, "granted");
  // The register learns of it by news.
  await until(async () => (await client.getNumber({ phoneNumberId: number })).number?.connection?.connected);
}

const text = (recipient = user) => textTo(now, number, { recipient });
const template = (recipient = user, components: { type: string }[] = []) =>
  textTo(now, number, {
    recipient,
    content: { kind: { case: "template", value: { name: "sale", language: "en_US", components } } },
  });

test("a text outside the window is refused, in words for people, and nothing is kept", async () => {
  const response = await client.explain({ message: text() });
  const [one] = response.explanations;
  assert.deepEqual(
    [response.allowed, response.reason, one?.verdict, one?.window?.open, one?.category],
    [false, "window_closed", ExplainVerdict.REFUSED, false, "SERVICE"],
  );
  assert.match(one?.remedy ?? "", /user writes/);
  assert.deepEqual((await client.listMessages({ phoneNumberId: number })).messages, []);
  assert.deepEqual(changes, []);
});

test("what the ledger knows of the user's last message opens the window, and billing is not asked", async () => {
  away.add("billing");
  await client.ingest({
    inbound: [
      {
        phoneNumberId: number,
        wabaId: "500",
        wamid: "wamid.1",
        from: user,
        at: timestampFromDate(later(-hour)),
        type: "text",
      },
    ],
  });
  const { explanations, limit } = await client.explain({ message: text() });
  const [one] = explanations;
  assert.equal(one?.verdict, ExplainVerdict.ALLOWED);
  assert.deepEqual(one.window?.closesAt && timestampDate(one.window.closesAt), later(23 * hour));
  assert.equal(limit, undefined);
});

test("a template has its category, lane, headroom and moment", async () => {
  await connect();
  const { explanations, limit } = await client.explain({ message: template() });
  const [one] = explanations;
  assert.deepEqual([one?.category, one?.lane, one?.priceUnknown], ["MARKETING", Lane.BULK, "no rate card is loaded"]);
  assert.deepEqual(one?.earliestAt && timestampDate(one.earliestAt), now);
  assert.deepEqual([limit?.messagingLimit, limit?.used, limit?.usedAfter], [250n, 240n, 241n]);
  assert.deepEqual(changes, []);
});

test("a template that is paused, or whose parameters do not fit, is refused for that, and takes no place", async () => {
  const unfit = await client.explain({ message: template(user, [{ type: "body" }]) });
  assert.deepEqual([unfit.reason, unfit.limit], ["template_parameter_count", undefined]);
  templateStatus = "PAUSED";
  const paused = await client.explain({ message: template() });
  assert.deepEqual([paused.reason, paused.limit], ["template_paused", undefined]);
});

for (const [peer, message] of [
  ["templates", template],
  ["billing", text],
  ["quality", template],
] as const) {
  test(`while ${peer} is away the verdict is unknown, and the call answers`, async () => {
    away.add(peer);
    const { explanations, allowed } = await client.explain({ message: message() });
    const [one] = explanations;
    assert.deepEqual(
      [allowed, one?.verdict, one?.reason, one?.details],
      [false, ExplainVerdict.UNKNOWN, peer, `${peer} does not answer`],
    );
  });
}

test("without a connection, or while it does not answer, the moment is not known", async () => {
  const disconnected = await client.explain({ message: template() });
  await connect();
  away.add("connection");
  const silent = await client.explain({ message: template() });
  assert.deepEqual(
    [disconnected, silent].map(({ allowed, explanations: [one] }) => [allowed, one?.earliestAt, one?.waitsFor]),
    [
      [true, undefined, "number_disconnected"],
      [true, undefined, "connection_away"],
    ],
  );
});

test("what waits already goes first, and a full queue refuses", async () => {
  await connect();
  for (const recipient of ["4915112340001", "4915112340002"]) {
    await client.send(textTo(now, number, { recipient, lane: Lane.BULK }));
  }
  const { explanations } = await client.explain({ messages: [template(), template()] });
  assert.deepEqual(
    explanations.map(({ reason, waitsFor, earliestAt }) => [
      reason || waitsFor,
      earliestAt && timestampDate(earliestAt).getTime() - now.getTime(),
    ]),
    [
      ["pace", 100],
      ["overloaded", undefined],
    ],
  );
});

test("a campaign is summed up", async () => {
  await declare(client, number, {});
  await connect();
  const users = Array.from({ length: 40 }, (_, at) => String(4_915_112_350_000 + at));
  for (const one of users.slice(30)) overLimit.add(one);
  const messages = users.map((one) => template(one));
  const { summary, explanations } = await client.explain({ messages });
  assert.deepEqual(
    [
      summary?.total,
      summary?.allowed,
      summary?.withinDay,
      summary?.refused.map(({ reason, count }) => [reason, count]),
    ],
    [40, 30, 30, [["limit_reached", 10]]],
  );
  assert.deepEqual(summary?.lastAllowedAt && timestampDate(summary.lastAllowedAt), later(29 * 50));
  assert.deepEqual(summary?.lastAt && timestampDate(summary.lastAt), later(29 * 50 + 24 * hour + 9 * 50));
  const refused = explanations.at(-1);
  assert.deepEqual(refused?.earliestAt && timestampDate(refused.earliestAt), later(hour));
});

test("requests that cannot be are told as such", async () => {
  const reasonOf = async (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "",
      (error: unknown) => (error instanceof ServiceError ? `${error.reason}: ${error.message}` : String(error)),
    );
  assert.match(await reasonOf(client.explain({})), /message is missing/);
  assert.match(await reasonOf(client.explain({ messages: [text(), textTo(now, "1")] })), /of one number/);
  assert.match(await reasonOf(client.explain({ message: textTo(now, "1") })), /number_unknown/);
  const old = textTo(now, number, { messageId: drawId(later(-48 * hour)) });
  assert.match(await reasonOf(client.explain({ message: old })), /^message_id_out_of_time: .* within a day/);
});
