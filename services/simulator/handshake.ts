// Meta's handshake with a callback URL: it must know the verify token and answer the challenge.
import { randomInt } from "node:crypto";
import { request } from "undici";

const timeoutMs = 5_000;

/** One GET. True if the URL answered 200 with the challenge; an address that nobody serves yet has not. */
export async function answersChallenge(url: string, verifyToken: string, signal: AbortSignal): Promise<boolean> {
  const challenge = String(randomInt(1e9));
  const target = new URL(url);
  target.searchParams.set("hub.mode", "subscribe");
  target.searchParams.set("hub.verify_token", verifyToken);
  target.searchParams.set("hub.challenge", challenge);
  try {
    const { statusCode, body } = await request(target, { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, signal });
    return (await body.text()).trim() === challenge && statusCode === 200;
  } catch {
    return false;
  }
}
