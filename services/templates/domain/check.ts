// Whether a template message may be sent, as far as the template knows: its state first, then the parameters, part by part.
// The first thing that is wrong decides.
import { checkButtons, codeLimit, tooLong } from "./buttons.ts";
import { type Header, isRecord, type ParameterFormat, type Parts, type TemplateShape } from "./components.ts";
import { firstRefusal, type Verdict, wrongCount, wrongFormat, wrongValue } from "./refusal.ts";
import { sendability } from "./state.ts";
import { type Component, checkTexts, fill, lengthOf, type Parameter } from "./texts.ts";

const bodyLimit = 1_024;

/** `status` is undefined where there is no such template. */
export function checkState(status: string | undefined, name: string, language: string): Verdict {
  const verdict = sendability(status);
  if (verdict === "sendable") return undefined;
  const found = status === undefined ? "does not exist" : `is ${status}`;
  return { refused: verdict, details: `template ${name} in ${language} ${found}` };
}

/** Whether the parameters of a message fit the template. */
export function checkParameters(shape: TemplateShape, components: readonly Component[]): Verdict {
  return (
    checkTypes(components) ??
    checkParts(shape, shape.format, components, "") ??
    checkCode(shape, components) ??
    checkCards(shape, components) ??
    checkOffer(shape, components) ??
    checkLength(shape, components)
  );
}

// The first four may stand once, a button for each button of the template.
const single = ["header", "body", "carousel", "limited_time_offer"];
const types = new Set([...single, "footer", "button", "tap_target_configuration", "order_status"]);

function checkTypes(components: readonly Component[]): Verdict {
  return firstRefusal(components, ({ type }, position) => {
    if (!types.has(type)) return wrongFormat(`component ${position}`, `expected a type of ${[...types].join(", ")}`);
    const isRepeated = single.includes(type) && components.findIndex((other) => other.type === type) < position;
    return isRepeated ? wrongFormat(type, "the component is given twice") : undefined;
  });
}

function parametersOf(components: readonly Component[], type: string): readonly Parameter[] {
  return components.find((component) => component.type === type)?.parameters ?? [];
}

function checkParts(parts: Parts, format: ParameterFormat, components: readonly Component[], where: string): Verdict {
  const buttons = components.filter(({ type }) => type === "button");
  return (
    checkHeader(`${where}header`, parts.header, parametersOf(components, "header"), format) ??
    checkTexts(`${where}body`, parts.body ?? { text: "", variables: [] }, parametersOf(components, "body"), format) ??
    checkButtons(parts.buttons, buttons, where)
  );
}

function checkHeader(
  part: string,
  header: Header | undefined,
  parameters: readonly Parameter[],
  format: ParameterFormat,
): Verdict {
  if (header === undefined) return parameters.length === 0 ? undefined : wrongCount(part, 0, parameters.length);
  if (header.kind === "text") return checkTexts(part, header.text, parameters, format);
  const expected = header.kind === "media" ? header.media : header.kind;
  const [parameter] = parameters;
  if (parameter === undefined) return wrongFormat(part, `expected a parameter of type ${expected}, found none`);
  if (parameters.length > 1) return wrongCount(part, 1, parameters.length);
  if (parameter.type !== expected || !isRecord(parameter.value))
    return wrongFormat(part, `expected a parameter of type ${expected}`);
  const { id, link } = parameter.value;
  if (header.kind !== "media" || isFilled(id) !== isFilled(link)) return undefined;
  return wrongFormat(part, `expected exactly one of id and link in ${expected}`);
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** The one-time code stands in the body and in the button, and must be the same. */
function checkCode(shape: TemplateShape, components: readonly Component[]): Verdict {
  const index = shape.buttons.findIndex((button) => button.kind === "url" && button.otp);
  const [code] = parametersOf(components, "body");
  if (index < 0 || code === undefined || typeof code.value !== "string") return undefined;
  const fault = tooLong(code.value, codeLimit);
  if (fault !== undefined) return wrongValue("body parameter 1", fault);
  const button = components.find((component) => component.type === "button" && component.index === index);
  const [repeated] = button?.parameters ?? [];
  if (repeated === undefined || repeated.value === code.value) return undefined;
  return wrongValue(`button ${index}`, "expected the same code as in the body");
}

function checkCards(shape: TemplateShape, components: readonly Component[]): Verdict {
  const given = components.find(({ type }) => type === "carousel")?.cards ?? [];
  const cards = shape.cards ?? [];
  if (given.length !== cards.length) {
    return {
      refused: "template_parameter_count",
      details: `carousel: expected ${cards.length} cards, found ${given.length}`,
    };
  }
  return firstRefusal(cards, (parts, index) => {
    const card = given.find((candidate) => candidate.index === index);
    if (card === undefined) return wrongFormat("carousel", `no card has the card_index ${index}`);
    return checkParts(parts, shape.format, card.components, `card ${index} `);
  });
}

function checkOffer(shape: TemplateShape, components: readonly Component[]): Verdict {
  if (!shape.hasExpiration) return undefined;
  const [parameter] = parametersOf(components, "limited_time_offer");
  const offer = parameter?.value;
  if (isRecord(offer) && Number.isFinite(Number(offer.expiration_time_ms ?? Number.NaN))) return undefined;
  return wrongFormat("limited_time_offer", "expected expiration_time_ms");
}

function checkLength(shape: TemplateShape, components: readonly Component[]): Verdict {
  if (shape.body === undefined) return undefined;
  const length = lengthOf(fill(shape.body, parametersOf(components, "body"), shape.format));
  if (length <= bodyLimit) return undefined;
  return {
    refused: "template_text_too_long",
    details: `body: expected at most ${bodyLimit} characters, found ${length}`,
  };
}
