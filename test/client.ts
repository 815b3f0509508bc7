// A client of the Cloud dialect as customers write one: sends, and repeats with the same Idempotency-Key until it gets an answer.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { RunFile } from "#test/system.ts";

const acceptedSchema = z.object({
  contacts: z.array(z.object({ input: z.string(), wa_id: z.string() })),
  messages: z.array(z.object({ id: z.string() })).min(1),
});

export type CloudAnswer = { status: number; body: unknown; headers: Headers };

/** POST /v24.0/{phone-number-id}/messages, once. */
export async function postMessage(
  run: RunFile,
  phoneNumberId: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<CloudAnswer> {
  const response = await fetch(`${run.gateway}/v24.0/${phoneNumberId}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${run.token}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

export function text(to: string, words: string): object {
  return { messaging_product: "whatsapp", to: `+${to}`, type: "text", text: { body: words } };
}

export function template(to: string, name: string, language = "en_US", components: object[] = []): object {
  return {
    messaging_product: "whatsapp",
    to: `+${to}`,
    type: "template",
    template: { name, language: { code: language }, components },
  };
}

/** The accepted message's id. Throws with the answer if it was refused. */
export async function send(run: RunFile, phoneNumberId: string, body: object): Promise<string> {
  const answer = await postMessage(run, phoneNumberId, body);
  if (answer.status !== 200) throw new Error(`refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
  return acceptedSchema.parse(answer.body).messages[0]?.id ?? "";
}

/** Repeats until there is a 200, as long as `signal` allows; what is not accepted then is undefined. */
export async function sendUntilAccepted(
  run: RunFile,
  phoneNumberId: string,
  body: object,
  signal: AbortSignal,
): Promise<string | undefined> {
  const key = randomUUID();
  while (!signal.aborted) {
    const answer = await postMessage(run, phoneNumberId, body, { "idempotency-key": key }).catch(() => undefined);
    if (answer?.status === 200) return acceptedSchema.parse(answer.body).messages[0]?.id;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

const writtenSchema = z.object({ wamid: z.string() });

/** Makes a simulated user write to the business; the wamid of what they wrote. */
export async function userWrites(run: RunFile, user: string, to: string, words: string): Promise<string> {
  const response = await fetch(`${run.simulator}/admin/phones/${user}/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to, type: "text", text: words }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${await response.text()}`);
  return writtenSchema.parse(await response.json()).wamid;
}
