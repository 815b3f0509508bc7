// What a reader does when all does not go well: refused events, readers that died, readers that left without a word.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { Registry } from "prom-client";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { ServiceError } from "./errors.ts";
import { createLog } from "./log.ts";
import { connectNats, consume, ensureStream, type Event } from "./nats.ts";
import { currentTraceparent, startTelemetry } from "./telemetry.ts";

const server = await privateNats();
after(() => server[Symbol.asyncDispose]());
const nc = await connectNats({ url: server.url, name: "test", log: testLog });
after(() => nc[Symbol.asyncDispose]());
const manager = await jetstreamManager(nc);

async function streamOf(name: string): Promise<void> {
  const consumers = [{ durable: "a", filterSubjects: [`${name}.>`] }];
  await ensureStream(nc, { name, subjects: [`${name}.>`], replicas: 1, consumers });
}

async function publish(name: string, ...texts: string[]): Promise<void> {
  for (const text of texts) await jetstream(nc).publish(`${name}.event`, text);
}

const textsOf = (events: readonly Event[]): string[] => events.map(({ data }) => new TextDecoder().decode(data));

/** How many events nobody has acknowledged. */
async function left(name: string): Promise<number> {
  return (await manager.streams.info(name)).state.messages;
}

test("an event that Postgres refuses is left out after some tries, and those around it are saved in order", async () => {
  await using database = await privateDatabase();
  await database.pool.query("create table notes (id integer generated always as identity, note text)");
  await streamOf("poison");
  await publish("poison", "1", "2\0", "3");
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "error", destination: { write: (line) => lines.push(line) } });
  const registry = new Registry();
  const handle = async (events: Event[]): Promise<void> => {
    await database.pool.query("insert into notes (note) select unnest($1::text[])", [textsOf(events)]);
  };
  await using _reader = consume({ nc, stream: "poison", durable: "a", log, registry, handle });
  await until(async () => (await left("poison")) === 0);
  const { rows } = await database.pool.query("select note from notes order by id");
  assert.deepEqual(rows, [{ note: "1" }, { note: "3" }]);
  assert.match(await registry.metrics(), /^events_skipped_total 1$/m);
  assert.equal(lines.length, 1);
  assert.partialDeepStrictEqual(JSON.parse(lines[0] ?? ""), { subject: "poison.event", seq: 2, durable: "a" });
});

const passing: [sentence: string, stream: string, error: Error][] = [
  ["what may pass later", "patience", new ServiceError("ABORTED", "scope_merged", "merged")],
  ["a network failure without a name of ours", "route", Object.assign(new Error("x"), { code: "ENETUNREACH" })],
  ["a bug", "bug", new TypeError("x is not a function")],
];
for (const [sentence, stream, error] of passing) {
  test(`${sentence} is tried until it passes, and no event is left out`, async () => {
    await streamOf(stream);
    await publish(stream, "1");
    let tries = 0;
    const handle = (): Promise<void> => {
      tries += 1;
      return tries < 5 ? Promise.reject(error) : Promise.resolve();
    };
    const registry = new Registry();
    await using _reader = consume({ nc, stream, durable: "a", log: testLog, registry, handle });
    await until(async () => (await left(stream)) === 0, { timeoutMs: 30_000 });
    assert.equal(tries, 5);
    assert.match(await registry.metrics(), /^events_skipped_total 0$/m);
  });
}

test("the trace of what caused an event goes on in its handler", async () => {
  await using _telemetry = await startTelemetry("demo", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  await streamOf("trace");
  const traced = headers();
  traced.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  await jetstream(nc).publish("trace.event", "1", { headers: traced });
  const seen: (string | undefined)[] = [];
  const handle = (): Promise<void> => {
    seen.push(currentTraceparent());
    return Promise.resolve();
  };
  await using _reader = consume({ nc, stream: "trace", durable: "a", log: testLog, handle });
  await until(() => seen.length === 1);
  assert.match(seen[0] ?? "", /^00-0af7651916cd43dd8448eb211c80319c-/);
});

/** A process that reads and never finishes; it says how many events it holds. */
function startDoomedReader(stream: string): { kill: () => void; holds: () => number } {
  const source = `
    import { connectNats, consume } from "${import.meta.resolve("./nats.ts")}";
    import { createLog } from "${import.meta.resolve("./log.ts")}";
    const log = createLog({ service: "doomed", level: "silent" });
    const nc = await connectNats({ url: "${server.url}", name: "doomed", log });
    consume({ nc, stream: "${stream}", durable: "a", log, handle: (events) => {
      process.stdout.write("x".repeat(events.length));
      return new Promise(() => {});
    } });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source]);
  let held = 0;
  child.stdout.on("data", (chunk: Buffer) => (held += chunk.length));
  return { kill: () => child.kill("SIGKILL"), holds: () => held };
}

test("the successor of a killed reader gets what that one held before anything newer, also if it is pinned at once", async () => {
  await streamOf("takeover");
  const doomed = startDoomedReader("takeover");
  await publish("takeover", "1", "2");
  await until(() => doomed.holds() === 2);
  doomed.kill();
  const seen: string[] = [];
  const handle = (events: Event[]): Promise<void> => {
    seen.push(...textsOf(events));
    return Promise.resolve();
  };
  await using _reader = consume({ nc, stream: "takeover", durable: "a", log: testLog, handle });
  // As after a restart of NATS, which forgets its pins, or when a third copy gives up the pin that it believes to hold.
  await manager.consumers.unpin("takeover", "a", "one");
  await publish("takeover", "3", "4");
  await until(() => seen.length >= 4);
  assert.deepEqual(seen, ["1", "2", "3", "4"]);
});

test("a reader that left without having read anything is not waited for", async () => {
  await streamOf("idle");
  const idle = consume({ nc, stream: "idle", durable: "a", log: testLog, handle: () => Promise.resolve() });
  await until(async () => (await manager.consumers.info("idle", "a")).num_waiting === 1);
  await idle[Symbol.asyncDispose]();
  await publish("idle", "1");
  const startedAt = performance.now();
  await using _reader = consume({ nc, stream: "idle", durable: "a", log: testLog, handle: () => Promise.resolve() });
  await until(async () => (await left("idle")) === 0);
  // Waiting for it takes 4 s.
  assert.ok(performance.now() - startedAt < 3_900);
});

test("what is logged of an address does not tell its password", async () => {
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "info", destination: { write: (line) => lines.push(line) } });
  const giveUp = new AbortController();
  const connecting = connectNats({
    url: "nats://user:p@ss@127.0.0.1:1,me:pass@127.0.0.1:2",
    name: "test",
    log,
    signal: giveUp.signal,
  });
  await until(() => lines.length > 0);
  giveUp.abort();
  await assert.rejects(connecting);
  assert.equal(JSON.parse(lines[0] ?? "").url, "nats://127.0.0.1:1,127.0.0.1:2");
});
