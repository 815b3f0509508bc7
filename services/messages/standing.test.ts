// What the ledger remembers of a number's standing from holder to holder, on a real Postgres and NATS.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { LeaseGranted } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { acquire, type Copy, declare, type MessagesClient, openStage, type Stage } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;
let second: Copy;

before(async () => {
  stage = opened.use(await openStage(() => now));
  const env = { LEASE_MS: "500", STOP_AFTER_MS: "300", RENEW_EVERY_MS: "150" };
  const [one, two] = await Promise.all([stage.start(env), stage.start(env)]);
  ({ client } = one);
  second = two;
});
after(() => opened.disposeAsync());

test("why a holder does not send is shown with its number, and told to those who watch, until its term ends", async () => {
  const phoneNumberId = "301";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  const heard: string[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    // By the other copy of the service, which hears of it by its own look.
    for await (const { change } of second.client.watchNumbers({}, { signal: watching.signal })) {
      if (change.case !== "number" || change.value.phoneNumberId !== phoneNumberId) continue;
      heard.push(change.value.connection?.standing ?? "");
    }
  })().catch(() => undefined);
  const shown = async () => (await client.getNumber({ phoneNumberId })).number?.connection;
  await until(async () => (await shown())?.cause === "first");
  assert.equal((await shown())?.standing, "");
  for (const standing of ["conflict", ""]) {
    const isTold = async (): Promise<boolean> => {
      await client.renew({ phoneNumberId, term, standing });
      return (await shown())?.standing === standing && heard.at(-1) === standing;
    };
    await until(isTold);
  }
  assert.equal(heard.filter((standing) => standing === "conflict").length, 1, "told once");
  await client.renew({ phoneNumberId, term, standing: "token_refused" });
  await acquire(client, phoneNumberId);
  await until(async () => (await shown())?.cause === "restarted");
  assert.equal((await shown())?.standing, "");
  await client.renew({ phoneNumberId, term: term + 1n, standing: "conflict" });
  await acquire(client, phoneNumberId);
  await until(async () => (await shown())?.term === term + 2n);
  assert.equal((await shown())?.standing, "conflict", "the next holder is to know");
  await assert.rejects(client.renew({ phoneNumberId, term: term + 2n, standing: "No word" }), {
    code: "INVALID_ARGUMENT",
  });
  watching.abort();
  await watched;
});

type End = (lease: { phoneNumberId: string; term: bigint }) => Promise<unknown>;

const ends: [sentence: string, phoneNumberId: string, end: End, cause: string][] = [
  ["gave it back", "302", (lease) => client.release(lease), "released"],
  ["was revoked", "303", (lease) => client.revoke({ ...lease, proof: "pod_gone" }), "revoked"],
  ["let it run out", "304", () => Promise.resolve(), "expired"],
];

/** Asks until it is granted. */
function takeOver(phoneNumberId: string): Promise<LeaseGranted> {
  return until(() => acquire(second.client, phoneNumberId, "pod-b").catch(() => undefined));
}

for (const [sentence, phoneNumberId, end, cause] of ends) {
  test(`the next holder is granted a conflict with the number, when the last one ${sentence}`, async () => {
    await declare(client, phoneNumberId);
    const { term } = await acquire(client, phoneNumberId);
    await client.renew({ phoneNumberId, term, standing: "conflict", restReason: "registered_elsewhere" });
    await end({ phoneNumberId, term });
    const granted = await takeOver(phoneNumberId);
    const { connection } = granted.number ?? {};
    assert.deepEqual(
      [granted.cause, connection?.cause, connection?.term, connection?.holder, connection?.connected],
      [cause, cause, granted.term, "pod-b", true],
    );
    assert.deepEqual([connection?.standing, connection?.restReason], ["conflict", ""]);
  });

  test(`that it was registered is remembered when the last holder ${sentence}, and nothing else`, async () => {
    const id = `${phoneNumberId}1`;
    await declare(client, id);
    const first = await acquire(client, id);
    assert.equal(first.number?.connection?.registeredSeenAt, undefined);
    await client.renew({ phoneNumberId: id, term: first.term, standing: "token_refused", wasRegistered: true });
    await end({ phoneNumberId: id, term: first.term });
    const { connection } = (await takeOver(id)).number ?? {};
    assert.deepEqual([connection?.standing, connection?.registeredSeenAt !== undefined], ["", true]);
  });
}

test("that it was registered is shown, stays where a holder does not say, and ends with a deregistration", async () => {
  const phoneNumberId = "305";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  const isShown = async (): Promise<boolean> => {
    const { number } = await client.getNumber({ phoneNumberId });
    return number?.connection?.registeredSeenAt !== undefined;
  };
  await client.renew({ phoneNumberId, term, wasRegistered: true });
  await until(isShown);
  await client.renew({ phoneNumberId, term });
  await client.release({ phoneNumberId, term });
  const held = await acquire(client, phoneNumberId, "pod-b");
  assert.notEqual(held.number?.connection?.registeredSeenAt, undefined);
  await client.renew({ phoneNumberId, term: held.term, wasRegistered: false });
  await until(async () => !(await isShown()));
  // A holder that ends at once may say it with the release.
  await client.release({ phoneNumberId, term: held.term, wasRegistered: true });
  const third = await acquire(client, phoneNumberId, "pod-c");
  assert.notEqual(third.number?.connection?.registeredSeenAt, undefined);
  await client.release({ phoneNumberId, term: third.term, wasRegistered: false });
  const fourth = await acquire(client, phoneNumberId, "pod-d");
  assert.equal(fourth.number?.connection?.registeredSeenAt, undefined);
});
