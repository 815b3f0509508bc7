// One outgoing gRPC call of each kind over grpc-js, with deadline, cancellation, trace and errors as ServiceError.
import { once } from "node:events";
import { type DescMessage, type DescMethod, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { pathOf, serialize } from "./grpc-incoming.ts";
import { fromStatus } from "./grpc-status.ts";
import type { Log } from "./log.ts";
import { injectTrace } from "./telemetry.ts";

export type CallOptions = {
  /** Unary default: the client's. Streams have none unless it is given. */
  deadlineMs?: number;
  signal?: AbortSignal;
  metadata?: Record<string, string>;
};

type Requests = AsyncIterable<MessageInitShape<DescMessage>>;
type Outgoing = {
  method: DescMethod;
  metadata: grpc.Metadata;
  options: grpc.CallOptions;
  signal: AbortSignal | undefined;
};

/** The function a client offers for the method; undefined for bidirectional streams. */
export function clientMethod(
  channel: grpc.Client,
  method: DescMethod,
  defaultDeadlineMs: number,
  log: Log | undefined,
): unknown {
  const outgoing = (given: CallOptions, fallbackMs: number | undefined): Outgoing => {
    const deadlineMs = given.deadlineMs ?? fallbackMs;
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(given.metadata ?? {})) metadata.set(name, value);
    injectTrace({ set: (name, value) => metadata.set(name, value) });
    return {
      method,
      metadata,
      options: deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      signal: given.signal,
    };
  };
  const report = (error: unknown): never => {
    const fault = fromStatus(error);
    log?.debug({ rpc: pathOf(method), code: fault.code, reason: fault.reason }, "call failed");
    throw fault;
  };
  switch (method.methodKind) {
    case "unary":
      return (request: MessageInitShape<DescMessage>, given: CallOptions = {}) =>
        callOnce(channel, outgoing(given, defaultDeadlineMs), request).catch(report);
    case "client_streaming":
      return (requests: Requests, given: CallOptions = {}) =>
        callWithStream(channel, outgoing(given, defaultDeadlineMs), requests).catch(report);
    case "server_streaming":
      return (request: MessageInitShape<DescMessage>, given: CallOptions = {}) =>
        receive(channel, outgoing(given, undefined), request, report);
    case "bidi_streaming":
      return undefined;
  }
}

function callOnce(
  channel: grpc.Client,
  { method, metadata, options, signal }: Outgoing,
  request: MessageInitShape<DescMessage>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = (): void => call.cancel();
    const call = withoutStack(() =>
      channel.makeUnaryRequest(
        pathOf(method),
        (message: MessageInitShape<DescMessage>) => serialize(method.input, message),
        (bytes) => fromBinary(method.output, bytes),
        request,
        metadata,
        options,
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (error === null) resolve(response);
          else reject(error);
        },
      ),
    );
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

/** grpc-js makes an error for each call in case one is needed; its stack is a tenth of what the call costs, and ours tells more. */
function withoutStack<T>(fn: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return fn();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function callWithStream(
  channel: grpc.Client,
  { method, metadata, options, signal }: Outgoing,
  requests: Requests,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = (): void => call.cancel();
    const ended = new AbortController();
    const call = channel.makeClientStreamRequest(
      pathOf(method),
      (bytes: Buffer) => bytes,
      (bytes) => fromBinary(method.output, bytes),
      metadata,
      options,
      (error, response) => {
        ended.abort();
        signal?.removeEventListener("abort", cancel);
        if (error === null) resolve(response);
        else reject(error);
      },
    );
    signal?.addEventListener("abort", cancel, { once: true });
    pump(call, method, requests, ended.signal).catch((error: unknown) => {
      if (ended.signal.aborted) return;
      reject(error);
      cancel();
    });
  });
}

/** Stops reading the source as soon as the server has answered, which it may do before the end. */
async function pump(
  call: grpc.ClientWritableStream<Buffer>,
  method: DescMethod,
  requests: Requests,
  ended: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (ended.aborted) return;
    if (!call.write(serialize(method.input, request))) await once(call, "drain", { signal: ended });
  }
  call.end();
}

async function* receive(
  channel: grpc.Client,
  { method, metadata, options, signal }: Outgoing,
  request: MessageInitShape<DescMessage>,
  report: (error: unknown) => never,
): AsyncGenerator<unknown> {
  signal?.throwIfAborted();
  const call = channel.makeServerStreamRequest(
    pathOf(method),
    (message: MessageInitShape<DescMessage>) => serialize(method.input, message),
    (bytes) => fromBinary(method.output, bytes),
    request,
    metadata,
    options,
  );
  const cancel = (): void => call.cancel();
  // Cancelling a call that nobody reads any more emits one last error.
  call.on("error", () => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    for await (const message of call) yield message;
  } catch (error) {
    report(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
    cancel();
  }
}
