// NATS loses its disk, and with it events that nobody had read; they are made again, and each reader applies each once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { consume } from "#lib/nats.ts";
import { enqueue } from "#lib/outbox.ts";
import { transaction } from "#lib/postgres.ts";
import { testLog } from "#test/env/log.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { untilOutboxHasRoom } from "./republish.ts";
import { acquire, declare, openStage, outcome, status, textTo, wabaId } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const phoneNumberId = "601";

test("events that NATS lost are made again from the ledger", async () => {
  await using stage = await openStage(() => now);
  const { client } = await stage.start();
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) {
    ids.push((await client.send(textTo(now, phoneNumberId, { clientCallbackData: `order-${count}` }))).messageId);
  }
  const [first = "", second = "", third = "", fourth = ""] = ids;
  const attempts = [first, second].map((messageId) => ({ messageId, attempt: 1 }));
  await client.begin({ phoneNumberId, term, attempts });
  const taken = (messageId: string) => outcome(messageId, { case: "taken", value: { wamid: `wamid.up.${messageId}` } });
  const refused = outcome(third, {
    case: "refused",
    value: { reason: "window_closed", error: { code: 131047, title: "closed" } },
  });
  await client.finish({ phoneNumberId, term, outcomes: [taken(first), taken(second), refused] });
  await client.cancelMessages({ messageId: fourth });
  const pricing = { billable: true, pricingModel: "PMP", type: "regular", category: "utility" };
  await client.ingest({
    statuses: [
      ...["sent", "delivered", "read"].map((word) => status(first, word, { phoneNumberId, pricing })),
      status(second, "sent", { phoneNumberId }),
    ],
    inbound: ["a", "b"].map((wamid) => ({
      phoneNumberId,
      wabaId,
      wamid: `wamid.in.${wamid}`,
      from: "4915112345678",
      profileName: "Ana",
      at: timestampFromDate(now),
      type: "text",
      messageJson: Buffer.from(JSON.stringify({ id: wamid })),
    })),
  });
  const relevant = (events: Awaited<ReturnType<typeof stage.events>>) =>
    events.filter(({ subject }) => /^wa\.(message|inbound)\./.test(subject));
  const before = await until(async () => {
    const events = relevant(await stage.events());
    return events.length === 8 && events;
  });

  await stage.natsServer.lose();
  await stage.natsServer.start();
  const span = {
    from: timestampFromDate(new Date(now.getTime() - 1)),
    to: timestampFromDate(new Date(now.getTime() + 1)),
  };
  assert.equal((await client.republish(span)).events, 8n);
  const bySubject = new Map<string, Uint8Array[]>();
  const applied = new Set<string>();
  await using _reader = consume({
    nc: stage.nats,
    stream: "WA",
    durable: "webhooks",
    log: testLog,
    async handle(events) {
      for (const { subject, data } of events) {
        const key = Buffer.from(data).toString("base64");
        assert.ok(!applied.has(key), "the same event came twice");
        applied.add(key);
        bySubject.set(subject, [...(bySubject.get(subject) ?? []), data]);
      }
    },
  });
  await until(() => applied.size === 8, { timeoutMs: 20_000 });
  for (const { subject, data } of before) {
    assert.ok(
      bySubject.get(subject)?.some((one) => Buffer.compare(one, data) === 0),
      `${subject} came again as it was`,
    );
  }
  assert.equal((await client.republish(span)).events, 8n);
  const elsewhere = {
    from: timestampFromDate(new Date(now.getTime() + 1)),
    to: timestampFromDate(new Date(now.getTime() + 9)),
  };
  assert.equal((await client.republish(elsewhere)).events, 0n);
  await assert.rejects(client.republish({}), { code: "INVALID_ARGUMENT" });
});

test("events are made again only while few wait to be published, and whoever waits for that ends with the signal", async () => {
  await using database = await privateDatabase({ services: ["messages"] });
  const rows = Array.from({ length: 1_001 }, (_, at) => ({
    subject: "wa.test",
    eventId: String(at),
    payload: new Uint8Array(),
  }));
  await transaction(database.pool, (tx) => enqueue(tx, "messages", rows));
  const ending = new AbortController();
  let isThrough = false;
  const waiting = untilOutboxHasRoom(database.pool, ending.signal).then(() => (isThrough = true));
  await untilOutboxHasRoom(database.pool, AbortSignal.abort());
  assert.equal(isThrough, false);
  await database.pool.query("delete from messages.outbox where event_id = '0'");
  await waiting;
});
