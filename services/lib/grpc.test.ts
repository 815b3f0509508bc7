import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenService, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import { base64Encode } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { Registry } from "prom-client";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#proto/grpc/health/v1/health_pb.ts";
import { until } from "#test/until.ts";
import { ServiceError } from "./errors.ts";
import { createClient, type GrpcServer, type Handlers, serve, startGrpc } from "./grpc.ts";
import { createLog, type Log } from "./log.ts";

type Text = typeof StringValueSchema;
type DemoService = GenService<{
  say: { methodKind: "unary"; input: Text; output: Text };
  count: { methodKind: "server_streaming"; input: Text; output: Text };
  join: { methodKind: "client_streaming"; input: Text; output: Text };
}>;

const text = ".google.protobuf.StringValue";
const method = { inputType: text, outputType: text };
const demoFile = create(FileDescriptorProtoSchema, {
  name: "demo.proto",
  package: "demo.v1",
  syntax: "proto3",
  dependency: ["google/protobuf/wrappers.proto"],
  service: [
    {
      name: "Demo",
      method: [
        { ...method, name: "Say" },
        { ...method, name: "Count", serverStreaming: true },
        { ...method, name: "Join", clientStreaming: true },
      ],
    },
  ],
});
const file = fileDesc(base64Encode(toBinary(FileDescriptorProtoSchema, demoFile)), [file_google_protobuf_wrappers]);
const Demo: DemoService = serviceDesc(file, 0);

const silent = createLog({ service: "test", level: "silent" });

function start(handlers: Handlers<DemoService>, log: Log = silent, registry = new Registry()): Promise<GrpcServer> {
  return startGrpc({ host: "127.0.0.1", port: 0, services: [serve(Demo, handlers)], log, registry });
}

test("a unary call carries message, metadata and deadline there and the answer back", async () => {
  await using server = await start({
    say: (request, { metadata, deadline, peer }) => {
      assert.ok(deadline !== undefined && deadline.getTime() - Date.now() <= 1_000);
      assert.match(peer, /^127\.0\.0\.1:/);
      return Promise.resolve({ value: `${request.value} ${metadata.get("who")}` });
    },
  });
  await using client = createClient(Demo, server.address);
  const answer = await client.say({ value: "hello" }, { deadlineMs: 1_000, metadata: { who: "world" } });
  assert.equal(answer.value, "hello world");
});

test("a ServiceError arrives with code, reason, message and retry time", async () => {
  await using server = await start({
    say: () => {
      throw new ServiceError("RESOURCE_EXHAUSTED", "too_fast", "slow down", { retryAfterMs: 1_500 });
    },
  });
  await using client = createClient(Demo, server.address);
  await assert.rejects(client.say({}), {
    code: "RESOURCE_EXHAUSTED",
    reason: "too_fast",
    message: "slow down",
    retryAfterMs: 1_500,
  });
});

test("a bug is INTERNAL without its words, and logged once with its stack", async () => {
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "error", destination: { write: (line) => lines.push(line) } });
  await using server = await start({ say: () => Promise.reject(new TypeError("secret detail")) }, log);
  await using client = createClient(Demo, server.address);
  await assert.rejects(client.say({}), { code: "INTERNAL", reason: "internal", message: "internal error" });
  assert.equal(lines.length, 1);
  assert.match(JSON.parse(lines[0] ?? "").err.stack, /secret detail/);
});

test("a method without a handler answers UNIMPLEMENTED by name", async () => {
  await using server = await start({});
  await using client = createClient(Demo, server.address);
  await assert.rejects(client.say({}), { code: "UNIMPLEMENTED", message: "Say is not built yet" });
  await assert.rejects(Array.fromAsync(client.count({})), { code: "UNIMPLEMENTED" });
});

test("an unreachable server is UNAVAILABLE, and the client finds it when it comes", async () => {
  const first = await start({ say: ({ value }) => Promise.resolve({ value }) });
  await first[Symbol.asyncDispose]();
  await using client = createClient(Demo, first.address, { deadlineMs: 2_000 });
  await assert.rejects(client.say({}), { code: "UNAVAILABLE", reason: "unavailable" });
  await using _again = await startGrpc({
    host: "127.0.0.1",
    port: first.port,
    services: [serve(Demo, { say: ({ value }) => Promise.resolve({ value }) })],
    log: silent,
    registry: new Registry(),
  });
  assert.equal((await until(() => client.say({ value: "x" }))).value, "x");
});

test("a deadline and a signal end the call on both sides", async () => {
  const ended: unknown[] = [];
  let begun = 0;
  await using server = await start({
    say: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        begun += 1;
        signal.addEventListener("abort", () => {
          ended.push(signal.reason);
          reject(signal.reason);
        });
      }),
  });
  await using client = createClient(Demo, server.address);
  await assert.rejects(client.say({}, { deadlineMs: 300 }), { code: "DEADLINE_EXCEEDED" });
  await until(() => ended.length === 1);
  const controller = new AbortController();
  const call = assert.rejects(client.say({}, { signal: controller.signal }), { code: "CANCELLED" });
  await until(() => begun === 2);
  controller.abort();
  await call;
  await until(() => ended.length === 2);
});

test("a server stream arrives in order, ends when its reader stops, and passes errors on", async () => {
  let written = 0;
  let closed = false;
  await using server = await start({
    async *count({ value }) {
      try {
        for (let n = 0; value === "endless" || n < 3; n += 1) {
          written = n;
          yield { value: `${n}${"x".repeat(10_000)}` };
        }
        throw new ServiceError("OUT_OF_RANGE", "no_more", "only three");
      } finally {
        closed = true;
      }
    },
  });
  await using client = createClient(Demo, server.address);
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const { value } of client.count({})) seen.push(value.slice(0, 1));
    },
    { code: "OUT_OF_RANGE", reason: "no_more" },
  );
  assert.deepEqual(seen, ["0", "1", "2"]);
  closed = false;
  for await (const { value } of client.count({ value: "endless" })) if (value.startsWith("5x")) break;
  await until(() => closed, { message: "the generator is returned" });
  assert.ok(written < 1_000, `backpressure holds the writer, it wrote ${written}`);
});

test("a client stream is joined, and an early answer stops the sender", async () => {
  await using server = await start({
    async join(requests) {
      let value = "";
      for await (const request of requests) {
        value += request.value;
        if (value.length > 1_000) throw new ServiceError("OUT_OF_RANGE", "too_long", "enough");
      }
      return { value };
    },
  });
  await using client = createClient(Demo, server.address);
  async function* parts(count: number): AsyncGenerator<{ value: string }> {
    for (let n = 0; n < count; n += 1) {
      await setImmediate();
      yield { value: "part " };
    }
  }
  assert.equal((await client.join(parts(3))).value, "part part part ");
  await assert.rejects(client.join(parts(Infinity)), { code: "OUT_OF_RANGE", reason: "too_long" });
});

test("health says SERVING, then NOT_SERVING to watchers while the server stops; streams are told", async () => {
  const server = await start({
    async *count(_request, { signal }) {
      yield { value: "first" };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  await using health = createClient(Health, server.address);
  await using client = createClient(Demo, server.address);
  assert.equal((await health.check({ service: "demo.v1.Demo" })).status, Status.SERVING);
  await assert.rejects(health.check({ service: "other" }), { code: "NOT_FOUND" });
  const statuses: number[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({})) statuses.push(status);
  })().catch(() => undefined);
  const counting = Array.fromAsync(client.count({}));
  await until(() => statuses.length === 1);
  await Promise.all([
    server[Symbol.asyncDispose](),
    assert.rejects(counting, { code: "UNAVAILABLE", reason: "stopping" }),
    watching,
  ]);
  assert.deepEqual(statuses, [Status.SERVING, Status.NOT_SERVING]);
});

test("durations are counted by service, method and code", async () => {
  const registry = new Registry();
  await using server = await start({ say: () => Promise.resolve({}) }, silent, registry);
  await using client = createClient(Demo, server.address);
  await client.say({});
  assert.match(
    await registry.metrics(),
    /grpc_server_handling_seconds_count\{service="demo.v1.Demo",method="Say",code="OK"\} 1/,
  );
});

test("a taken port is refused with its number", async () => {
  await using server = await start({});
  const again = startGrpc({
    host: "127.0.0.1",
    port: server.port,
    services: [],
    log: silent,
    registry: new Registry(),
  });
  await assert.rejects(again, new RegExp(`cannot listen on 127.0.0.1:${server.port} for gRPC: .*EADDRINUSE`));
});
