// The template object inside a message, both directions. Case of types and the form of an index are the client's choice, as with Meta.
import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import {
  type TemplateComponent,
  TemplateComponentSchema,
  type TemplateMessage,
  TemplateMessageSchema,
  type TemplateParameter,
  TemplateParameterSchema,
} from "#proto/heliograph/messages/v1/content_pb.ts";
import { filled } from "./cloud-fields.ts";

const lower = filled.transform((text) => text.toLowerCase());
const array = "must be an array";
const object = "must be an object";

const index = z.union(
  [
    z.int().min(0).max(999),
    z
      .string()
      .regex(/^\d{1,3}$/)
      .transform(Number),
  ],
  "must be an integer from 0, as number or string",
);

const parameter = z.record(z.string(), z.json(), object).transform((fields, context): TemplateParameter => {
  const { type, parameter_name = "" } = fields;
  const lowerType = typeof type === "string" ? type.toLowerCase() : "";
  const key = Object.keys(fields).find((name) => name !== "type" && name.toLowerCase() === lowerType);
  const value = key === undefined ? undefined : fields[key];
  if (lowerType === "" || typeof parameter_name !== "string" || value === undefined || value === null) {
    const at = lowerType === "" ? "type" : typeof parameter_name === "string" ? (key ?? lowerType) : "parameter_name";
    context.issues.push({ code: "custom", message: "must be a string", path: [at], input: fields[at] });
    return z.NEVER;
  }
  return create(TemplateParameterSchema, {
    type: lowerType,
    parameterName: parameter_name,
    value: fromJson(ValueSchema, value),
  });
});

const cardComponent = z.object(
  {
    type: lower,
    sub_type: lower.nullish(),
    index: index.nullish(),
    parameters: z.array(parameter, array).nullish(),
  },
  object,
);

const card = z.object({ card_index: index, components: z.array(cardComponent, array) }, object);

const component = cardComponent.extend({ cards: z.array(card, array).nullish() });

/** The value of `template` in a send. */
export const templateSchema = z.object(
  {
    name: filled,
    language: z.object({ code: filled }, object),
    components: z.array(component, array).nullish(),
  },
  object,
);

type Component = z.output<typeof component>;

export function toTemplateMessage(template: z.output<typeof templateSchema>): TemplateMessage {
  return create(TemplateMessageSchema, {
    name: template.name,
    language: template.language.code,
    components: (template.components ?? []).map(toComponent),
  });
}

function toComponent({ type, sub_type, index: at, parameters, cards }: Component): TemplateComponent {
  return create(TemplateComponentSchema, {
    type,
    subType: sub_type ?? "",
    ...(typeof at === "number" && { index: at }),
    parameters: parameters ?? [],
    cards: (cards ?? []).map(({ card_index, components }) => ({
      cardIndex: card_index,
      components: components.map((inner) => toComponent({ ...inner, cards: undefined })),
    })),
  });
}

/** The template object as WhatsApp takes it. */
export function toGraphTemplate({ name, language, components }: TemplateMessage): JsonObject {
  return {
    name,
    language: { code: language },
    ...(components.length > 0 && { components: components.map(toGraphComponent) }),
  };
}

function toGraphComponent({ type, subType, index: at, parameters, cards }: TemplateComponent): JsonObject {
  return {
    type,
    ...(subType !== "" && { sub_type: subType }),
    ...(at !== undefined && { index: String(at) }),
    ...(parameters.length > 0 && { parameters: parameters.map(toGraphParameter) }),
    ...(cards.length > 0 && {
      cards: cards.map((one) => ({ card_index: one.cardIndex, components: one.components.map(toGraphComponent) })),
    }),
  };
}

function toGraphParameter({ type, parameterName, value }: TemplateParameter): JsonObject {
  return {
    type,
    ...(parameterName !== "" && { parameter_name: parameterName }),
    ...(value !== undefined && { [type]: toJson(ValueSchema, value) }),
  };
}
