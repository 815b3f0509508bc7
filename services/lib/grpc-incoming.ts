// One incoming gRPC call: its context, trace, duration and error mapping, between grpc-js and a handler of ours.
// Like grpc.ts it may cast: grpc-js knows its messages only as `any`.
import { once } from "node:events";
import { create, type DescMessage, type DescMethod, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Message, MessageInitShape } from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { Histogram, type Registry } from "prom-client";
import { ServiceError } from "./errors.ts";
import { first, toStatus } from "./grpc-status.ts";
import type { Log } from "./log.ts";
import { withRemoteSpan } from "./telemetry.ts";

/** What a handler knows of its call besides the request. */
export type CallContext = {
  /** Aborts when the caller gives up, its deadline passes or the server stops; handlers that wait must watch it. */
  readonly signal: AbortSignal;
  readonly metadata: { get(name: string): string | undefined };
  readonly peer: string;
  /** Undefined if the caller set none. */
  readonly deadline: Date | undefined;
};

/** A handler whose message types are not known here. */
export type LooseHandler = (request: unknown, context: CallContext) => Promise<Message> | AsyncIterable<Message>;

export function durationHistogram(registry: Registry): Histogram {
  return new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Time from the request's arrival to its answer, by method and status code",
    labelNames: ["service", "method", "code"],
    buckets: [0.01, 0.05, 0.25, 1],
    registers: [registry],
  });
}

type Duplex = grpc.ServerDuplexStream<unknown, Buffer>;
/** What calls of all four kinds have in common. */
type AnyServerCall = Pick<Duplex, "metadata" | "cancelled" | "getDeadline" | "getPeer"> & {
  once(event: "cancelled", listener: () => void): unknown;
};
type Callback = grpc.sendUnaryData<Buffer>;
type Run = (
  call: AnyServerCall,
  request: unknown,
  answer: (result: Promise<Message> | AsyncIterable<Message>, context: CallContext) => Promise<void>,
) => Promise<ServiceError | undefined>;
type Guarded = {
  method: DescMethod;
  handler: LooseHandler | undefined;
  log: Log;
  durations: Histogram;
  stopping: AbortSignal;
};

/** Runs a handler with context, trace, duration and error mapping; resolves to the fault to answer with, if any. */
export function guard({ method, handler, log, durations, stopping }: Guarded): Run {
  const labels = { service: method.parent.typeName, method: method.name };
  const span = `${labels.service}/${labels.method}`;
  const isStream = method.methodKind !== "unary";
  return async (call, request, answer) => {
    const startedAt = performance.now();
    const { context, release } = contextOf(call, isStream ? stopping : undefined);
    let fault: ServiceError | undefined;
    try {
      if (handler === undefined) {
        throw new ServiceError("UNIMPLEMENTED", "not_built", `${method.name} is not built yet`);
      }
      await withRemoteSpan(span, first(call.metadata, "traceparent"), () => answer(handler(request, context), context));
    } catch (error) {
      fault = context.signal.aborted ? ServiceError.from(context.signal.reason) : ServiceError.from(error);
      if (fault.code === "INTERNAL") log.error({ err: fault.cause ?? fault, rpc: span }, "request failed");
    } finally {
      release();
    }
    durations.observe({ ...labels, code: fault?.code ?? "OK" }, (performance.now() - startedAt) / 1_000);
    return fault;
  };
}

/** `stopping` is given for streams only: unary calls may finish while the server drains. */
function contextOf(
  call: AnyServerCall,
  stopping: AbortSignal | undefined,
): { context: CallContext; release: () => void } {
  let controller: AbortController | undefined;
  const stop = (): void => controller?.abort(stopping?.reason);
  const deadline = call.getDeadline();
  const context: CallContext = {
    // Made on first use: most handlers never look.
    get signal() {
      if (controller !== undefined) return controller.signal;
      const own = new AbortController();
      controller = own;
      const cancel = (): void => own.abort(new ServiceError("CANCELLED", "cancelled", "the caller gave up"));
      if (call.cancelled) cancel();
      else call.once("cancelled", cancel);
      if (stopping?.aborted) stop();
      else stopping?.addEventListener("abort", stop, { once: true });
      return own.signal;
    },
    metadata: { get: (name) => first(call.metadata, name) },
    get peer() {
      return call.getPeer();
    },
    deadline: deadline instanceof Date ? deadline : Number.isFinite(deadline) ? new Date(deadline) : undefined,
  };
  return { context, release: () => stopping?.removeEventListener("abort", stop) };
}

/** The grpc-js handler for a method. Responses are serialised inside the guard, so that a bad one is logged as our bug. */
export function implement(method: DescMethod, run: Run): grpc.UntypedHandleCall {
  const bytesOf = (message: Message): Buffer => serialize(method.output, message);
  const unary = async (call: AnyServerCall, request: unknown, callback: Callback): Promise<void> => {
    let response: Buffer | undefined;
    const fault = await run(call, request, async (result) => {
      response = bytesOf(await (result as Promise<Message>));
    });
    if (fault === undefined) callback(null, response);
    else callback(toStatus(fault));
  };
  const stream = async (call: Duplex, request: unknown): Promise<void> => {
    const fault = await run(call, request, async (result, { signal }) => {
      for await (const message of result as AsyncIterable<Message>) {
        if (!call.write(bytesOf(message))) await once(call, "drain", { signal });
        signal.throwIfAborted();
      }
      signal.throwIfAborted();
    });
    if (fault === undefined) call.end();
    else call.emit("error", toStatus(fault));
  };
  switch (method.methodKind) {
    case "unary":
      return (call: grpc.ServerUnaryCall<unknown, unknown>, callback: Callback) =>
        void unary(call, call.request, callback);
    case "client_streaming":
      return (call: grpc.ServerReadableStream<unknown, unknown>, callback: Callback) =>
        void unary(call, call, callback);
    case "server_streaming":
      return (call: Duplex & { request?: unknown }) => void stream(call, call.request);
    case "bidi_streaming":
      return (call: Duplex) => void stream(call, call);
  }
}

/** What grpc-js needs to know of a service. */
export function definitionOf(desc: DescService): grpc.ServiceDefinition {
  const methods = desc.methods.map((method) => [
    method.localName,
    {
      path: pathOf(method),
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: (message: MessageInitShape<DescMessage>) => serialize(method.input, message),
      requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
    },
  ]);
  return Object.fromEntries(methods) as grpc.ServiceDefinition;
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export function serialize(schema: DescMessage, message: MessageInitShape<DescMessage>): Buffer {
  const bytes = toBinary(schema, create(schema, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
