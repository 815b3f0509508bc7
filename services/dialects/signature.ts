// The X-Hub-Signature-256 header: Meta's webhooks to us, and ours to the customer. Ours have that of Standard Webhooks, too.
import { createHmac, timingSafeEqual } from "node:crypto";

/** `sha256=<hex HMAC-SHA256>` of the raw body bytes. */
export function sign(secret: string, body: Uint8Array | string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/**
 * The webhook-signature header of Standard Webhooks: a signature by each secret, separated by blanks. `id` has no dots, `timestamp`
 * is seconds since 1970. A secret that begins with `whsec_` is base64; any other signs as the text it is.
 */
export function signStandard(
  secrets: readonly string[],
  { id, timestamp }: { id: string; timestamp: string },
  body: Uint8Array,
): string {
  const head = `${id}.${timestamp}.`;
  return secrets
    .map((secret) => `v1,${createHmac("sha256", keyOf(secret)).update(head).update(body).digest("base64")}`)
    .join(" ");
}

const base64Mark = "whsec_";

function keyOf(secret: string): Buffer {
  return secret.startsWith(base64Mark) ? Buffer.from(secret.slice(base64Mark.length), "base64") : Buffer.from(secret);
}

/**
 * Whether all of the secret goes into the key: what is no base64 would be cut, to an empty key in the end, with which anybody can
 * sign. Standard Webhooks wants 24 to 64 bytes.
 */
export function isUsableSecret(secret: string): boolean {
  if (!secret.startsWith(base64Mark)) return secret !== "";
  const key = keyOf(secret);
  return key.length >= 24 && key.length <= 64 && key.toString("base64") === secret.slice(base64Mark.length);
}

const shape = /^sha256=([0-9a-fA-F]{64})$/;

/** Whether any of the secrets made the header for these very bytes. Compares in constant time; no secret means no. */
export function verify(secrets: readonly string[], body: Uint8Array, header: string | undefined): boolean {
  const [, hex] = shape.exec(header ?? "") ?? [];
  if (hex === undefined) return false;
  const given = Buffer.from(hex, "hex");
  let good = false;
  for (const secret of secrets) {
    const expected = createHmac("sha256", secret).update(body).digest();
    if (timingSafeEqual(expected, given)) good = true;
  }
  return good;
}
