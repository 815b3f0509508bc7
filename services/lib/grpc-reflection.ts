// gRPC's server reflection, version 1: grpcurl and its like list, describe and call our services without their proto files.
// The descriptors are those that the generated code carries anyway.
import { createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "#proto/grpc/reflection/v1/reflection_pb.ts";

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;
type Answer = NonNullable<Response["messageResponse"]>;

const notFound = 5;
const unimplemented = 12;

/** The handlers of ServerReflection for the services named; itself need not be among them. */
export function createReflection(services: readonly DescService[]) {
  const files = withImports(services.map(({ file }) => file));
  let registry: Registry | undefined;

  function fileOf(symbol: string): DescFile | undefined {
    // Made when first asked: hardly any process ever is.
    registry ??= createRegistry(...files);
    // A field, a method or a value of an enum stands in the file of what it belongs to.
    return (registry.get(symbol) ?? registry.get(symbol.replace(/\.[^.]*$/, "")))?.file;
  }

  function answerTo({ messageRequest }: ServerReflectionRequest): Answer {
    switch (messageRequest.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: services.map(({ typeName }) => ({ name: typeName })) },
        };
      case "fileByFilename":
        return describe(
          messageRequest.value,
          files.find(({ proto }) => proto.name === messageRequest.value),
        );
      case "fileContainingSymbol":
        return describe(messageRequest.value, fileOf(messageRequest.value));
      case "fileContainingExtension":
        return failure(notFound, `${messageRequest.value.containingType} has no extensions`);
      case "allExtensionNumbersOfType":
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: messageRequest.value } };
      case undefined:
        return failure(unimplemented, "the request asks nothing that is known here");
    }
  }

  return {
    async *serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>): AsyncGenerator<Response> {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answerTo(request) };
      }
    },
  };
}

/** The file and all that it imports, imports first. */
function describe(what: string, file: DescFile | undefined): Answer {
  if (file === undefined) return failure(notFound, `${what} is not known here`);
  const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** Each once, imports first. */
function withImports(files: readonly DescFile[], seen = new Set<DescFile>()): DescFile[] {
  for (const file of files) {
    if (seen.has(file)) continue;
    withImports(file.dependencies, seen);
    seen.add(file);
  }
  return [...seen];
}
