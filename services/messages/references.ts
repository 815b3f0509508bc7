// Where a user's message names another one: the message it quotes (`context.id`) or reacts to (`reaction.message_id`).
// WhatsApp's id of a message of ours is replaced by the one that the client knows.
import { z } from "zod";
import { toWamid } from "#dialects/message-id.ts";
import { parseVerbatimBytes } from "#dialects/verbatim-json.ts";

const object = z.record(z.string(), z.unknown());

export type Reference = {
  wamid: string;
  /** The phone number of the quoted message's sender, digits; undefined where Meta did not tell. */
  from: string | undefined;
};

/** The message that this one names; undefined if it names none, or is not JSON as we know it. */
export function referenceOf(messageJson: Uint8Array): Reference | undefined {
  const message = parse(messageJson);
  const context = object.safeParse(message?.["context"]).data;
  const quoted = textOf(context, "id");
  if (quoted !== undefined) return { wamid: quoted, from: textOf(context, "from") };
  const reacted = textOf(object.safeParse(message?.["reaction"]).data, "message_id");
  return reacted === undefined ? undefined : { wamid: reacted, from: undefined };
}

/** The same JSON naming our message by the id that the client knows. */
export function withOurId(messageJson: Uint8Array, messageId: string): Uint8Array {
  const message = parse(messageJson);
  if (message === undefined) return messageJson;
  const context = object.safeParse(message["context"]).data;
  const reaction = object.safeParse(message["reaction"]).data;
  const id = toWamid(messageId);
  if (textOf(context, "id") !== undefined) return toBytes({ ...message, context: { ...context, id } });
  if (textOf(reaction, "message_id") === undefined) return messageJson;
  return toBytes({ ...message, reaction: { ...reaction, message_id: id } });
}

type Json = z.infer<typeof object>;

function parse(messageJson: Uint8Array): Json | undefined {
  try {
    return object.safeParse(parseVerbatimBytes(messageJson)).data;
  } catch {
    return undefined;
  }
}

function textOf(json: Json | undefined, key: string): string | undefined {
  const value = json?.[key];
  return typeof value === "string" ? value : undefined;
}

function toBytes(json: Json): Uint8Array {
  return Buffer.from(JSON.stringify(json));
}
