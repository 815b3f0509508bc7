// gRPC with protobuf-es messages over grpc-js: typed handlers and clients, one error mapping, deadlines, health, reflection.
// Nothing is ever retried here: whether a call may be repeated is the caller's knowledge.
import { create, type DescMessage, type DescMethod, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMethodBiDiStreaming, DescMethodClientStreaming, DescMethodServerStreaming } from "@bufbuild/protobuf";
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type ChannelOptions, Client as Channel, credentials, Metadata } from "@grpc/grpc-js";
import type { CallOptions as GrpcCallOptions, ClientReadableStream, ClientWritableStream } from "@grpc/grpc-js";
import { fromStatus } from "./grpc-status.ts";
import type { Log } from "./log.ts";
import { injectTrace } from "./telemetry.ts";

export { type CallContext, type GrpcServer, serve, startGrpc } from "./grpc-server.ts";
