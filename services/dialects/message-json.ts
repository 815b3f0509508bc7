// A ledger row as our own REST shows it: the proto's JSON, in the words of the documentation. WhatsApp's own id stays inside.
import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { type Message, MessageSchema, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { toWamid } from "./message-id.ts";

const open: ReadonlySet<MessageState> = new Set([MessageState.ACCEPTED, MessageState.WAITING, MessageState.UNKNOWN]);

/** `id` is what clients of the Cloud dialect know; `dueAt` stands while a next step is due. */
export function toMessageJson(message: Message): JsonObject {
  const { wamid: _inside, dueAt, state, lane, history, ...rest } = objectOf(toJson(MessageSchema, message));
  return {
    id: toWamid(message.messageId),
    ...rest,
    state: wordOf(state, "MESSAGE_STATE_"),
    lane: wordOf(lane, "LANE_"),
    ...(dueAt !== undefined && open.has(message.state) && { dueAt }),
    ...(Array.isArray(history) && {
      history: history.map((step) => ({ ...objectOf(step), state: wordOf(objectOf(step)["state"], "MESSAGE_STATE_") })),
    }),
  };
}

/** MESSAGE_STATE_READ → read. */
function wordOf(name: unknown, prefix: string): string {
  return typeof name === "string" ? name.slice(prefix.length).toLowerCase() : "unspecified";
}

function objectOf(json: unknown): JsonObject {
  return isObject(json) ? json : {};
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
