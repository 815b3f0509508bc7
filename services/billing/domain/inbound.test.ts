import assert from "node:assert/strict";
import { test } from "node:test";
import { type InboundKind, opensWindow } from "./inbound.ts";

function kind(type: string, more: Partial<InboundKind> = {}): InboundKind {
  return { type, removesReaction: false, toGroup: false, ...more };
}

const messages = (
  "text image video document audio voice sticker location contacts order " +
  "interactive button ephemeral unsupported unknown call"
).split(" ");
const news = ["system", "edit", "revoke", "deleted", "echo", "history", "user_preferences", "request_welcome"];

const cases: [sentence: string, inbound: InboundKind, opens: boolean][] = [
  ...messages.map((type): [string, InboundKind, boolean] => [`${type} opens the window`, kind(type), true]),
  ...news.map((type): [string, InboundKind, boolean] => [
    `${type} is not a message and opens nothing`,
    kind(type),
    false,
  ]),
  ["a type that Meta adds tomorrow opens the window", kind("hologram"), true],
  ["a reaction with an emoji opens the window", kind("reaction"), true],
  ["a reaction taken back opens nothing", kind("reaction", { removesReaction: true }), false],
  ["a message to a group opens nothing", kind("text", { toGroup: true }), false],
];

for (const [sentence, inbound, opens] of cases) {
  test(sentence, () => assert.equal(opensWindow(inbound), opens));
}
