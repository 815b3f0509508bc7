// From the parsed message of the dialect to what the rules of templates look at.
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { TemplateMessage } from "#proto/heliograph/messages/v1/content_pb.ts";
import type { SentComponent } from "./domain/template-check.ts";

export function toSentComponents({ components }: TemplateMessage): SentComponent[] {
  return components.map(({ type, subType, index, parameters }) => ({
    type,
    subType,
    index,
    parameters: parameters.map(({ type: parameterType, parameterName, value }) => ({
      type: parameterType,
      parameterName,
      value: value === undefined ? undefined : toJson(ValueSchema, value),
    })),
  }));
}
