// As grpcurl asks: over a stream, with names and symbols, until it has every file that a call needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { Registry } from "prom-client";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "#proto/grpc/reflection/v1/reflection_pb.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { testLog } from "#test/env/log.ts";
import { definitionOf, pathOf } from "./grpc-incoming.ts";
import { serve, startGrpc } from "./grpc.ts";

type Question = ServerReflectionRequest["messageRequest"];

/** The answers to one stream of questions, to a server of billing without handlers. */
async function ask(...questions: Question[]): Promise<ServerReflectionResponse["messageResponse"][]> {
  const services = [serve(BillingService, {})];
  await using server = await startGrpc({
    host: "127.0.0.1",
    port: 0,
    services,
    log: testLog,
    registry: new Registry(),
  });
  const client = new grpc.Client(server.address, grpc.credentials.createInsecure());
  const method = ServerReflection.method.serverReflectionInfo;
  const definition = definitionOf(ServerReflection)[method.localName];
  assert.ok(definition);
  const stream = client.makeBidiStreamRequest(
    pathOf(method),
    definition.requestSerialize,
    definition.responseDeserialize,
  );
  try {
    for (const messageRequest of questions) stream.write(create(ServerReflectionRequestSchema, { messageRequest }));
    stream.end();
    const answers: ServerReflectionResponse["messageResponse"][] = [];
    for await (const response of stream) answers.push((response as ServerReflectionResponse).messageResponse);
    return answers;
  } finally {
    client.close();
  }
}

function filesOf(answer: ServerReflectionResponse["messageResponse"] | undefined): string[] {
  assert.equal(answer?.case, "fileDescriptorResponse");
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

test("every service is listed, health and reflection among them", async () => {
  const [answer] = await ask({ case: "listServices", value: "*" });
  assert.equal(answer?.case, "listServicesResponse");
  assert.deepEqual(answer.value.service.map(({ name }) => name).sort(), [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "heliograph.billing.v1.BillingService",
  ]);
});

test("a service, a method, a message and a file are described with all that they import, imports first", async () => {
  const file = "heliograph/billing/v1/billing.proto";
  const answers = await ask(
    { case: "fileContainingSymbol", value: "heliograph.billing.v1.BillingService" },
    { case: "fileContainingSymbol", value: "heliograph.billing.v1.BillingService.BatchGetWindows" },
    { case: "fileContainingSymbol", value: "heliograph.billing.v1.BatchGetWindowsRequest" },
    { case: "fileByFilename", value: file },
    { case: "fileContainingSymbol", value: "google.protobuf.Timestamp" },
  );
  for (const answer of answers.slice(0, 4)) {
    assert.equal(filesOf(answer).at(-1), file);
    assert.ok(filesOf(answer).includes("google/protobuf/timestamp.proto"));
  }
  assert.deepEqual(filesOf(answers[4]), ["google/protobuf/timestamp.proto"]);
});

test("what is not there is answered in the stream, which goes on", async () => {
  const answers = await ask(
    { case: "fileContainingSymbol", value: "nobody.knows.This" },
    { case: "fileByFilename", value: "nobody.proto" },
    {
      case: "fileContainingExtension",
      value: { $typeName: "grpc.reflection.v1.ExtensionRequest", containingType: "a.B", extensionNumber: 1 },
    },
    { case: undefined },
    { case: "allExtensionNumbersOfType", value: "a.B" },
  );
  const codes = answers.map((answer) => (answer.case === "errorResponse" ? answer.value.errorCode : answer.case));
  assert.deepEqual(codes, [5, 5, 5, 12, "allExtensionNumbersResponse"]);
});
