// Sends over the Cloud API, as a client does, and waits for the outcome if asked to.
// Tried once: whoever repeats after an open outcome does so with the key that is told, so that nobody gets it twice.
import { randomUUID } from "node:crypto";
import { sleep } from "#lib/lifecycle.ts";
import type { SendOptions } from "../args.ts";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";
import { fetchMessage, type Gateway, postMessage } from "../gateway.ts";
import { findNumberId } from "../numbers.ts";
import { json } from "../render.ts";

export async function send(options: SendOptions, context: Context): Promise<number> {
  const { places, out, signal } = context;
  const phoneNumberId = await findNumberId(options.number, context);
  const gateway = { url: places.gateway(), token: places.token(), signal };
  const idempotencyKey = options.idempotencyKey ?? randomUUID();
  const accepted = await postMessage(gateway, phoneNumberId, bodyOf(options), headersOf(options, idempotencyKey));
  if (options.waitMs !== undefined) return waitFor(accepted.messageId, gateway, options.waitMs, context);
  out(context.json ? json({ ...accepted, phoneNumberId, to: options.to }) : `accepted  ${accepted.messageId}`);
  return exitCodes.ok;
}

/** As a client of the Cloud API writes it. */
export function bodyOf({ to, message }: Pick<SendOptions, "to" | "message">): object {
  const common = { messaging_product: "whatsapp", to: `+${to}`, type: message.kind };
  switch (message.kind) {
    case "text":
      return { ...common, text: { body: message.text } };
    case "template": {
      const parameters = message.parameters.map(({ name, value }) => ({
        type: "text",
        ...(name !== undefined && { parameter_name: name }),
        text: value,
      }));
      const components = parameters.length === 0 ? [] : [{ type: "body", parameters }];
      return { ...common, template: { name: message.template, language: { code: message.language }, components } };
    }
  }
}

function headersOf({ lane, campaign, ttlSeconds }: SendOptions, idempotencyKey: string): Record<string, string> {
  return {
    "Idempotency-Key": idempotencyKey,
    ...(lane !== undefined && { "Heliograph-Lane": lane }),
    ...(campaign !== undefined && { "Heliograph-Campaign": campaign }),
    ...(ttlSeconds !== undefined && { "Heliograph-Ttl": String(ttlSeconds) }),
  };
}

const successes = new Set(["delivered", "read"]);
const failures = new Set(["failed", "expired", "cancelled"]);
const longestStepMs = 1_000;

/** Until the user has it, or it is known that it does not come. Prints each state. */
export async function waitFor(messageId: string, gateway: Gateway, waitMs: number, context: Context): Promise<number> {
  const { out, err, signal } = context;
  const giveUpAt = performance.now() + waitMs;
  let told = "";
  for (let stepMs = 50; ; stepMs = Math.min(stepMs * 1.5, longestStepMs)) {
    const message = await fetchMessage(gateway, messageId);
    const state = message?.state ?? (told || "accepted");
    if (state !== told) {
      if (!context.json) out(`${state.padEnd("delivered".length)}  ${messageId}${reasonOf(message?.reason)}`);
      told = state;
    }
    const isOver = successes.has(state) || failures.has(state);
    const isLate = performance.now() + stepMs > giveUpAt;
    if (isOver || isLate) {
      if (context.json) out(json(message ?? { messageId }));
      if (!isOver) err(`heliograph: ${messageId} is ${state}, and that is not final, after ${waitMs / 1_000} s`);
      return successes.has(state) ? exitCodes.ok : exitCodes.failed;
    }
    await sleep(stepMs, signal);
    signal.throwIfAborted();
  }
}

function reasonOf(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : `  ${reason}`;
}
