// What we put into biz_opaque_callback_data upstream, so that every status names the message and the attempt it belongs to.
import { isMessageId } from "./message-id.ts";

/** `<message id>.<attempt>`. */
export function toCallbackData(messageId: string, attempt: number): string {
  return `${messageId}.${attempt}`;
}

const shape = /^([0-9a-f-]{36})\.([1-9]\d{0,8})$/;

/** The message and attempt of a callback data of ours; undefined for any other text. */
export function fromCallbackData(text: string): { messageId: string; attempt: number } | undefined {
  const [, messageId, attempt] = shape.exec(text) ?? [];
  if (messageId === undefined || attempt === undefined || !isMessageId(messageId)) return undefined;
  return { messageId, attempt: Number(attempt) };
}
