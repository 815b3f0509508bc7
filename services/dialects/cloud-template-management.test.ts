import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { TemplateSchema } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { parseNewTemplate, parseTemplateChange, toTemplateJson } from "./cloud-template-management.ts";

const components = [{ type: "BODY", text: "Hello", example: { body_text: [["x"]] } }];
const whole = { name: "hi_there", language: "en_US", category: "UTILITY", components };

test("a template keeps its components as they were written", () => {
  const parsed = parseNewTemplate({ ...whole, allow_category_change: true });
  assert.ok(parsed.kind === "template");
  const { componentsJson = new Uint8Array(), ...rest } = parsed.template;
  assert.deepEqual(JSON.parse(Buffer.from(componentsJson).toString()), components);
  assert.deepEqual(rest, { name: "hi_there", language: "en_US", category: "UTILITY", parameterFormat: "" });
});

const refusals: [sentence: string, body: unknown, place: RegExp][] = [
  ["no object", "nonsense", /^body /],
  ["a bad name", { ...whole, name: "Hi there" }, /^name must/],
  ["no language", { ...whole, language: undefined }, /^language must/],
  ["no components", { ...whole, components: [] }, /^components must/],
  ["a time to live in words", { ...whole, message_send_ttl_seconds: "1h" }, /^message_send_ttl_seconds must/],
  ["a component without a type", { ...whole, components: [{ text: "Hello" }] }, /^components.0.type must/],
];
for (const [sentence, body, place] of refusals) {
  test(`refused: ${sentence}`, () => {
    const parsed = parseNewTemplate(body);
    assert.ok(parsed.kind === "refusal");
    assert.match(parsed.details, place);
  });
}

test("a change names what changes, and nothing else", () => {
  const parsed = parseTemplateChange({ category: "MARKETING" });
  assert.deepEqual(parsed, { kind: "template", template: { category: "MARKETING" } });
  const ttl = parseTemplateChange({ message_send_ttl_seconds: -1 });
  assert.deepEqual(ttl, { kind: "template", template: { category: "", messageSendTtlSeconds: -1 } });
});

test("a template is listed in Meta's words; components that cannot be read are none", () => {
  const template = create(TemplateSchema, { name: "hi", templateId: "90071992547409937", quality: "GREEN" });
  const json = toTemplateJson({ ...template, componentsJson: Buffer.from(JSON.stringify(components)) });
  assert.deepEqual([json["id"], json["components"]], ["90071992547409937", components]);
  assert.deepEqual([json["quality_score"], json["rejected_reason"]], [{ score: "GREEN" }, "NONE"]);
  assert.deepEqual(toTemplateJson(template)["components"], []);
});
