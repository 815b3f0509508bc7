import assert from "node:assert/strict";
import { after, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { until } from "#test/until.ts";
import { connectNats, consume, ensureStream, type Event, subscribeCore } from "./nats.ts";

const server = await privateNats();
after(() => server[Symbol.asyncDispose]());
const nc = await connectNats({ url: server.url, name: "test", log: testLog });
after(() => nc[Symbol.asyncDispose]());

async function streamOf(name: string, durables: string[]): Promise<void> {
  const consumers = durables.map((durable) => ({ durable, filterSubjects: [`${name}.>`], takeOverMs: 4_000 }));
  await ensureStream(nc, { name, subjects: [`${name}.>`], replicas: 1, consumers });
}

async function publish(name: string, from: number, to: number): Promise<void> {
  const js = jetstream(nc);
  for (let n = from; n <= to; n += 1) await js.publish(`${name}.event`, String(n));
}

const numbersOf = (events: Event[]): number[] => events.map(({ data }) => Number(new TextDecoder().decode(data)));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("every durable gets every event once, in batches, and the stream then forgets it", async () => {
  await streamOf("fan", ["a", "b"]);
  await streamOf("fan", ["a", "b"]);
  const seen: Record<string, number[]> = { a: [], b: [] };
  const readers = ["a", "b"].map((durable) =>
    consume({
      nc,
      stream: "fan",
      durable,
      log: testLog,
      handle: (events) => {
        assert.ok(events.length <= 256);
        seen[durable]?.push(...numbersOf(events));
        return Promise.resolve();
      },
    }),
  );
  await publish("fan", 1, 400);
  await until(() => seen["a"]?.length === 400 && seen["b"]?.length === 400);
  assert.deepEqual(seen, { a: range(1, 400), b: range(1, 400) });
  const manager = await jetstreamManager(nc);
  await until(async () => (await manager.streams.info("fan")).state.messages === 0, { message: "all acknowledged" });
  for (const reader of readers) await reader[Symbol.asyncDispose]();
});

test("a batch that fails goes again, before anything newer", async () => {
  await streamOf("fail", ["a"]);
  const calls: number[][] = [];
  await using _reader = consume({
    nc,
    stream: "fail",
    durable: "a",
    lingerMs: 1,
    log: testLog,
    handle: async (events) => {
      calls.push(numbersOf(events));
      if (calls.length < 3) throw new Error("database away");
    },
  });
  await publish("fail", 1, 1);
  await until(() => calls.length === 1);
  await publish("fail", 2, 2);
  await until(() => calls.length === 4);
  assert.deepEqual(calls, [[1], [1], [1], [2]]);
});

test("a reader that stops hands over at once; one that was cut off loses nothing and the oldest comes first", async () => {
  await streamOf("move", ["a"]);
  const seen: number[] = [];
  const reading = (connection: typeof nc): AsyncDisposable =>
    consume({
      nc: connection,
      stream: "move",
      durable: "a",
      log: testLog,
      handle: (events) => {
        seen.push(...numbersOf(events));
        return Promise.resolve();
      },
    });
  const first = reading(nc);
  await publish("move", 1, 3);
  await until(() => seen.length === 3);
  await first[Symbol.asyncDispose]();

  const doomed = await connectNats({ url: server.url, name: "doomed", log: testLog });
  let taken = 0;
  const stuck = consume({
    nc: doomed,
    stream: "move",
    durable: "a",
    log: testLog,
    handle: (events) => {
      taken = events.length;
      return new Promise(() => undefined);
    },
  });
  await publish("move", 4, 6);
  await until(() => taken > 0, { timeoutMs: 3_500, message: "the second reader starts without waiting for the pin" });
  await doomed.close();
  void stuck;
  await using _third = reading(nc);
  await publish("move", 7, 8);
  await until(() => seen.length >= 8, { timeoutMs: 15_000 });
  assert.deepEqual(seen, range(1, 8));
});

test("a reader waits for a stream that does not exist yet and lives through restarts of the server", async () => {
  const seen: number[] = [];
  await using _reader = consume({
    nc,
    stream: "later",
    durable: "a",
    log: testLog,
    handle: (events) => {
      seen.push(...numbersOf(events));
      return Promise.resolve();
    },
  });
  await streamOf("later", ["a"]);
  await publish("later", 1, 1);
  await until(() => seen.includes(1));
  await server.stop();
  await server.start();
  await until(() => publish("later", 2, 2).then(() => true));
  await until(() => seen.includes(2), { timeoutMs: 20_000 });
});

test("changed settings are brought up to date", async () => {
  await streamOf("grow", ["a"]);
  await ensureStream(nc, {
    name: "grow",
    subjects: ["grow.>", "grown.>"],
    replicas: 1,
    consumers: [{ durable: "a", filterSubjects: ["grown.>"] }],
  });
  const manager = await jetstreamManager(nc);
  assert.deepEqual((await manager.streams.info("grow")).config.subjects, ["grow.>", "grown.>"]);
  const { config } = await manager.consumers.info("grow", "a");
  assert.deepEqual(config.filter_subjects ?? [config.filter_subject], ["grown.>"]);
});

test("a core subscription gets what is published while it lasts", async () => {
  const seen: string[] = [];
  const subscription = subscribeCore(nc, "wake.*", (data, subject) =>
    seen.push(`${subject} ${new TextDecoder().decode(data)}`),
  );
  nc.publish("wake.7", "now");
  await until(() => seen.length === 1);
  assert.deepEqual(seen, ["wake.7 now"]);
  await subscription[Symbol.asyncDispose]();
});
