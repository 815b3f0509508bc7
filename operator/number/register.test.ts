import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type WatchNumbersResponse, WatchNumbersResponseSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import { virtualClock } from "#test/virtual-clock.ts";
import { followRegister } from "./register.ts";

type Told = WatchNumbersResponse | Error;

/** A messages service that says what the test makes it say. */
function scripted() {
  let queue: Told[] = [];
  let wake = (): void => undefined;
  let streams = 0;
  let isAway = false;
  async function* watchNumbers(
    _: object,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<WatchNumbersResponse> {
    if (isAway) throw new Error("away");
    streams += 1;
    signal?.addEventListener("abort", () => wake());
    for (;;) {
      const [next, ...rest] = queue;
      queue = rest;
      if (next instanceof Error) throw next;
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
      if (signal?.aborted) return;
    }
  }
  const tell = (...told: Told[]): void => {
    queue.push(...told);
    wake();
  };
  return { watchNumbers, tell, streams: () => streams, setAway: (away: boolean) => void (isAway = away) };
}

const synced = create(WatchNumbersResponseSchema, { change: { case: "synced", value: true } });
const numberOf = (phoneNumberId: string, lapsed = false, term = 1n): WatchNumbersResponse =>
  create(WatchNumbersResponseSchema, {
    change: { case: "number", value: { phoneNumberId, connection: { connected: !lapsed, lapsed, term } } },
  });

function setUp() {
  const clock = virtualClock();
  const messages = scripted();
  const told: string[] = [];
  const register = followRegister({ messages, clock, random: () => 0.5, log: testLog, awayAfterMs: 10_000 });
  register.follow((phoneNumberId) => told.push(phoneNumberId));
  return { clock, messages, register, told };
}

function lapseOf({ register }: ReturnType<typeof setUp>, phoneNumberId: string): number | undefined {
  const answer = register.get(phoneNumberId);
  return answer.kind === "known" ? answer.value?.lapsedSinceMs : undefined;
}

test("what is told before `synced` is told as one, and every change after it", async () => {
  const { clock, messages, register, told } = setUp();
  messages.tell(numberOf("1"), numberOf("2"));
  await clock.advance(1);
  assert.deepEqual(told, []);
  messages.tell(synced);
  await clock.advance(1);
  await register.settled;
  assert.deepEqual(told.splice(0), ["1", "2"]);
  messages.tell(create(WatchNumbersResponseSchema, { change: { case: "removedPhoneNumberId", value: "1" } }));
  await clock.advance(1);
  assert.deepEqual(told, ["1"]);
  assert.deepEqual(register.get("1"), { kind: "known", value: undefined });
  await register[Symbol.asyncDispose]();
});

test("a stream that breaks and comes back is no outage, but nothing lapses meanwhile", async () => {
  const world = setUp();
  const { clock, messages, register } = world;
  messages.tell(numberOf("1", true), synced);
  await clock.advance(1);
  const sinceMs = lapseOf(world, "1");
  assert.ok(sinceMs !== undefined);
  messages.tell(new Error("cut"));
  await clock.advance(1);
  assert.equal(register.get("1").kind, "known");
  assert.equal(lapseOf(world, "1"), undefined);
  await clock.advance(3_000);
  messages.tell(numberOf("1", true), synced);
  await clock.advance(3_000);
  assert.equal(messages.streams(), 2);
  assert.ok((lapseOf(world, "1") ?? 0) > sinceMs + 1_000, "the lapse counts from when it was told anew");
  await register[Symbol.asyncDispose]();
});

test("a service that stays away is away for every number, until it is back", async () => {
  const { clock, messages, register, told } = setUp();
  messages.tell(numberOf("1"), synced);
  await clock.advance(1);
  told.length = 0;
  messages.setAway(true);
  messages.tell(new Error("cut"));
  await clock.advance(9_000);
  assert.equal(register.get("1").kind, "known");
  await clock.advance(2_000);
  assert.equal(register.get("1").kind, "away");
  assert.deepEqual(told.splice(0), ["1"]);
  messages.setAway(false);
  messages.tell(numberOf("1"), synced);
  await clock.advance(6_000);
  assert.equal(register.get("1").kind, "known");
  assert.deepEqual(told, ["1"]);
  await register[Symbol.asyncDispose]();
});

test("a service that never answers is away after a while, so that the operator can begin", async () => {
  const { clock, messages, register } = setUp();
  messages.setAway(true);
  await clock.advance(10_500);
  await register.settled;
  assert.equal(register.get("1").kind, "away");
  await register[Symbol.asyncDispose]();
});

test("a lapse that goes on keeps its time, and a new term has none", async () => {
  const world = setUp();
  const { clock, messages, register } = world;
  messages.tell(numberOf("1", true), synced);
  await clock.advance(1_000);
  const sinceMs = lapseOf(world, "1");
  messages.tell(numberOf("1", true));
  await clock.advance(1);
  assert.equal(lapseOf(world, "1"), sinceMs);
  messages.tell(numberOf("1", false, 2n));
  await clock.advance(1);
  assert.equal(lapseOf(world, "1"), undefined);
  await register[Symbol.asyncDispose]();
});
