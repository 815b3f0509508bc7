// Our own REST: listing messages and taking them back.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { toWamid } from "#dialects/message-id.ts";
import { ServiceError } from "#lib/errors.ts";
import { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { phoneNumberId, type Started, startTestGateway, token } from "./test-gateway.ts";

let gateway: Started;

before(async () => {
  gateway = await startTestGateway();
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  const { peers } = gateway;
  for (const list of [peers.listed, peers.cancelled, peers.faults]) list.length = 0;
});

const listed = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; json: unknown }> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(`${gateway.api}/heliograph/v1/messages${path}`, { headers, ...init });
  return { status: response.status, json: await response.json() };
}

test("a list takes every filter, and answers with the token of the next page", async () => {
  const filter = new URLSearchParams({
    number: phoneNumberId,
    to: "+1 555 000-1111",
    state: "failed",
    template: "order_update",
    campaign: "spring",
    from: "2026-03-02T10:00:00Z",
    to_time: "2026-03-03T11:00:00+01:00",
    limit: "2",
  });
  const { status, json } = await ask(`?${filter.toString()}`);
  assert.equal(status, 200);
  assert.deepEqual(json, {
    messages: [{ id: toWamid(listed), messageId: listed, phoneNumberId, state: "read", lane: "reply" }],
    nextPageToken: "next",
  });
  const [asked] = gateway.peers.listed;
  assert.ok(asked);
  const { from, to, $typeName: _, ...rest } = asked;
  assert.deepEqual(rest, {
    phoneNumberId,
    recipient: "15550001111",
    state: MessageState.FAILED,
    templateName: "order_update",
    campaign: "spring",
    pageSize: 2,
    pageToken: "",
  });
  assert.deepEqual(from && timestampDate(from), new Date("2026-03-02T10:00:00Z"));
  assert.deepEqual(to && timestampDate(to), new Date("2026-03-03T10:00:00Z"));
  assert.deepEqual((await ask("?page=next")).json, { messages: [] });
});

const refusals: [sentence: string, query: string, details: RegExp][] = [
  ["a state that is none", "state=gone", /query.state must be one of accepted/],
  ["a number that is none", "number=me", /query.number must be a phone number id/],
  ["a recipient that is none", "to=me", /query.to must be a phone number/],
  ["a time that is none", "from=yesterday", /query.from must be a time/],
  ["a page too large", "limit=501", /query.limit must be at most 500/],
  ["a parameter twice", "state=read&state=sent", /query.state/],
];
for (const [sentence, query, details] of refusals) {
  test(`a list refuses ${sentence}`, async () => {
    const { status, json } = await ask(`?${query}`);
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), details);
    assert.equal(gateway.peers.listed.length, 0);
  });
}

test("a message is cancelled by either id, and the answer shows what became of it", async () => {
  const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";
  for (const id of [messageId, toWamid(messageId)]) {
    const { status, json } = await ask(`/${id}`, { method: "DELETE" });
    assert.equal(status, 200);
    const shown = { id: toWamid(messageId), messageId, phoneNumberId, recipient: "15550001111" };
    assert.deepEqual(json, { ...shown, attempt: 1, state: "sent", lane: "reply" });
  }
  assert.deepEqual(
    gateway.peers.cancelled.map((one) => [one.messageId, one.campaign]),
    [
      [messageId, ""],
      [messageId, ""],
    ],
  );
});

test("a message that is not known cannot be cancelled", async () => {
  gateway.peers.faults.push(new ServiceError("NOT_FOUND", "message_unknown", "message is not known"));
  assert.equal((await ask("/01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f", { method: "DELETE" })).status, 404);
  assert.equal((await ask("/nothing", { method: "DELETE" })).status, 404);
});

test("a campaign of a number is cancelled, and the answer counts", async () => {
  const cancel = (body: object) => ask("/cancel", { method: "POST", body: JSON.stringify(body) });
  assert.deepEqual(await cancel({ number: phoneNumberId, campaign: "spring" }), {
    status: 200,
    json: { cancelled: 3 },
  });
  const [asked] = gateway.peers.cancelled;
  assert.deepEqual([asked?.phoneNumberId, asked?.campaign, asked?.messageId], [phoneNumberId, "spring", ""]);
  for (const body of [{ campaign: "spring" }, { number: phoneNumberId }, { number: phoneNumberId, campaign: "" }]) {
    assert.equal((await cancel(body)).status, 400);
  }
});

test("none of it without a token", async () => {
  const headers = { authorization: "Bearer wrong" };
  assert.equal((await ask("", { headers })).status, 401);
  assert.equal((await ask("/cancel", { headers, method: "POST" })).status, 401);
});
