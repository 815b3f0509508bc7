// The ledger as its peers meet it: calls by gRPC, news by JetStream, on a real Postgres and NATS.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import {
  acquire,
  declare,
  type MessagesClient,
  openStage,
  outcome,
  type Stage,
  status,
  textTo,
} from "./test-messages.ts";

let now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;

before(async () => {
  stage = opened.use(await openStage(() => now));
  ({ client } = await stage.start());
});
after(() => opened.disposeAsync());

test("a message goes from Send to read, and the customer hears of it", async () => {
  const phoneNumberId = "101";
  await declare(client, phoneNumberId);
  const send = textTo(now, phoneNumberId, { clientCallbackData: "order-42", campaign: "spring" });
  const { messageId } = send;
  const accepted = await client.send(send);
  assert.equal(accepted.messageId, messageId);
  assert.equal(accepted.repeated, false);

  const { term } = await acquire(client, phoneNumberId);
  const claim = await client.claim({ phoneNumberId, term, replyLimit: 10, bulkLimit: 10 });
  assert.deepEqual(
    claim.messages.map((one) => [one.messageId, one.attempt, one.recipient]),
    [[messageId, 1, "4915112345678"]],
  );
  assert.equal(claim.messages[0]?.content?.kind.case, "text");
  const begun = await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  assert.deepEqual(begun.messageIds, [messageId]);
  await client.finish({
    phoneNumberId,
    term,
    outcomes: [outcome(messageId, { case: "taken", value: { wamid: `wamid.up.${messageId}` } })],
  });
  const sent = await client.getMessage({ messageId });
  assert.equal(sent.message?.state, MessageState.SENT);
  await client.ingest({
    statuses: ["sent", "delivered", "read"].map((word) => status(messageId, word, { phoneNumberId })),
  });
  const { message } = await client.getMessage({ messageId });
  assert.equal(message?.state, MessageState.READ);
  assert.deepEqual(message?.readAt && timestampDate(message.readAt), new Date("2026-03-02T10:00:00Z"));

  const news = await until(async () => {
    const events = await stage.news(messageId);
    return events.length === 3 && events;
  });
  assert.deepEqual(
    news.map((event) => [event.eventId, event.clientCallbackData, event.campaign, event.displayPhoneNumber]),
    ["sent", "delivered", "read"].map((verb) => [`${messageId}.1.${verb}`, "order-42", "spring", "4930101"]),
  );
});
