// Our message id (a UUID) as a Cloud dialect client sees it: "wamid." and base64url of two marker bytes and the UUID's 16.
// Both directions are pure, so no table maps one to the other.
import { Buffer } from "node:buffer";

const prefix = "wamid.";
const marker = Buffer.from("HG", "latin1");
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether the text is a UUID in its canonical form: lower case, with hyphens. */
export function isMessageId(text: string): boolean {
  return uuidPattern.test(text);
}

/** The client's view of our id. Throws if `messageId` is no UUID. */
export function toWamid(messageId: string): string {
  if (!isMessageId(messageId)) throw new TypeError(`message id ${messageId} is not a UUID`);
  const bytes = Buffer.concat([marker, Buffer.from(messageId.replaceAll("-", ""), "hex")]);
  return prefix + bytes.toString("base64url");
}

/** Our id behind a wamid; undefined for WhatsApp's own and for anything else. */
export function fromWamid(wamid: string): string | undefined {
  if (!wamid.startsWith(prefix)) return undefined;
  const encoded = wamid.slice(prefix.length);
  const bytes = Buffer.from(encoded, "base64url");
  // The round trip refuses the other spellings that a lenient decoder takes: padding, "+", trailing bits.
  if (bytes.length !== 18 || bytes.toString("base64url") !== encoded) return undefined;
  if (!bytes.subarray(0, marker.length).equals(marker)) return undefined;
  const hex = bytes.toString("hex", marker.length);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
