// Where a user's message names another one: the message it quotes (`context.id`) or reacts to (`reaction.message_id`).
// WhatsApp's id of a message of ours is replaced by the one that the client knows.
import { z } from "zod";
import { toWamid } from "#dialects/message-id.ts";
import { parseVerbatimBytes } from "#dialects/verbatim-json.ts";

const referring = z.looseObject({
  context: z.looseObject({ id: z.string().optional(), from: z.string().optional() }).optional(),
  reaction: z.looseObject({ message_id: z.string().optional() }).optional(),
});

export type Reference = {
  wamid: string;
  /** The phone number of the quoted message's sender, digits; undefined where Meta did not tell. */
  from: string | undefined;
};

/** The message that this one names; undefined if it names none, or is not JSON as we know it. */
export function referenceOf(messageJson: Uint8Array): Reference | undefined {
  const message = parse(messageJson);
  if (message?.context?.id !== undefined) return { wamid: message.context.id, from: message.context.from };
  const reacted = message?.reaction?.message_id;
  return reacted === undefined ? undefined : { wamid: reacted, from: undefined };
}

/** The same JSON naming our message by the id that the client knows. */
export function withOurId(messageJson: Uint8Array, messageId: string): Uint8Array {
  const message = parse(messageJson);
  if (message === undefined) return messageJson;
  const id = toWamid(messageId);
  const { context, reaction } = message;
  return Buffer.from(
    JSON.stringify({
      ...message,
      ...(context?.id !== undefined && { context: { ...context, id } }),
      ...(context?.id === undefined &&
        reaction?.message_id !== undefined && { reaction: { ...reaction, message_id: id } }),
    }),
  );
}

function parse(messageJson: Uint8Array): z.infer<typeof referring> | undefined {
  try {
    return referring.safeParse(parseVerbatimBytes(messageJson)).data;
  } catch {
    return undefined;
  }
}
