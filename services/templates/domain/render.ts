// What the user sees of a template message whose parameters were checked.
import type { TemplateShape } from "./components.ts";
import { type Component, fill, type Parameter } from "./texts.ts";

export type Rendered = { header: string; body: string; footer: string; buttons: string[] };

/** A part that the template does not have, and a header that is no text, is empty. */
export function render(shape: TemplateShape, components: readonly Component[]): Rendered {
  const parametersOf = (type: string): readonly Parameter[] =>
    components.find((component) => component.type === type)?.parameters ?? [];
  return {
    header: shape.header?.kind === "text" ? fill(shape.header.text, parametersOf("header"), shape.format) : "",
    body: shape.body === undefined ? "" : fill(shape.body, parametersOf("body"), shape.format),
    footer: shape.footer ?? "",
    buttons: shape.buttons.map(({ label }) => label),
  };
}
