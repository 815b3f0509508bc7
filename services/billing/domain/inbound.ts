// Which inbound messages open the customer service window. When unsure, it opens: a wrong "open" costs one send that
// WhatsApp refuses, a wrong "closed" silences a reply.

/** What the rule looks at, of an inbound message. */
export type InboundKind = {
  /** Meta's word: text, image, button, reaction, system, … */
  type: string;
  /** A reaction without an emoji takes an earlier one back. */
  removesReaction: boolean;
  /** Written to a group, not to the business. */
  toGroup: boolean;
};

// News about the user or about an earlier message, not a message of the user's.
const notMessages = new Set([
  "system",
  "edit",
  "revoke",
  "deleted",
  "echo",
  "history",
  "user_preferences",
  "request_welcome",
]);

export function opensWindow({ type, removesReaction, toGroup }: InboundKind): boolean {
  if (toGroup) return false;
  if (type === "reaction") return !removesReaction;
  return !notMessages.has(type);
}
