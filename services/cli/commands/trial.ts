// A first conversation over the simulator: a number comes up, a user writes, the webhook tells of it, the answer reaches the phone.
// It is what `helm test` runs.
import { randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { ServiceError } from "#lib/errors.ts";
import { createClient } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import { MessagesService, type Number as PhoneNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { TrialOptions } from "../args.ts";
import type { Context } from "../context.ts";
import { describe } from "../errors.ts";
import { postMessage } from "../gateway.ts";
import { bodyOf, waitFor } from "./send.ts";

const pollMs = 500;
/** A subscription may be younger than the first message: the user writes again after that long. */
const heardMs = 5_000;

type Trial = Context & { options: TrialOptions; giveUpAt: number };

export async function trial(options: TrialOptions, context: Context): Promise<number> {
  const { places, out, signal } = context;
  const own = { ...context, options, giveUpAt: performance.now() + options.timeoutMs };
  await using receiver = await startReceiver(options.listen);
  const number = await eventually(own, `number ${options.number}`, () => findConnected(own));
  out(`connected  ${number.name || number.phoneNumberId}`);
  const user = `1202555${randomInt(1_000, 10_000)}`;
  const question = await eventually(own, "the webhook of the user's message", () =>
    askAsUser(own, number, user, receiver),
  );
  out(`received   ${question}`);
  const gateway = { url: places.gateway(), token: places.token(), signal };
  const body = bodyOf({ to: user, message: { kind: "text", text: `You wrote: ${question}` } });
  const accepted = await postMessage(gateway, number.phoneNumberId, body, { "Idempotency-Key": randomUUID() });
  return await waitFor(accepted.messageId, gateway, Math.max(0, own.giveUpAt - performance.now()), context);
}

/** Asks until there is an answer. What failed last is told when the time is over. */
async function eventually<T>({ signal, giveUpAt }: Trial, what: string, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > giveUpAt)
        throw new ServiceError("DEADLINE_EXCEEDED", "too_late", `${what} did not come: ${describe(error)}`);
      await sleep(pollMs, signal);
    }
  }
}

/** Throws while no process holds it, or WhatsApp does not take its messages. */
async function findConnected({ places, tls, options, signal }: Trial): Promise<PhoneNumber> {
  await using messages = createClient(MessagesService, places.messages(), { tls: tls.grpc });
  const { numbers } = await messages.listNumbers({}, { signal });
  const number = numbers.find(({ name, phoneNumberId }) => [name, phoneNumberId].includes(options.number));
  if (number === undefined) throw new Error("it is not declared");
  if (number.connection?.connected !== true) throw new Error("no process holds it");
  if (number.connection.standing !== "") throw new Error(`its standing is ${number.connection.standing}`);
  return number;
}

/** The text that the user wrote, when the webhook has it. */
async function askAsUser(
  { options, signal }: Trial,
  number: PhoneNumber,
  user: string,
  receiver: Receiver,
): Promise<string> {
  const question = `Is my order ready? ${randomUUID()}`;
  const heard = receiver.hear(question);
  const url = `${options.simulator.replace(/\/+$/, "")}/admin/phones/${user}/messages`;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to: number.displayPhoneNumber, type: "text", text: question }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(heardMs)]),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${await response.text()}`);
  const late = new AbortController();
  const isHeard = await Promise.race([heard.then(() => true), sleep(heardMs, late.signal).then(() => false)]);
  late.abort();
  if (!isHeard) throw new Error(`nothing within ${heardMs / 1_000} s`);
  return question;
}

type Receiver = AsyncDisposable & {
  /** Resolves when a webhook has the text in it. */
  hear(text: string): Promise<void>;
};

/** Takes every webhook. Rejects with EADDRINUSE. */
async function startReceiver({ host, port }: TrialOptions["listen"]): Promise<Receiver> {
  const waiting = new Map<string, () => void>();
  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        for (const [part, resolve] of waiting) if (body.includes(part)) resolve();
        response.writeHead(200).end();
      },
      () => response.destroy(),
    );
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    hear: (part) => new Promise((resolve) => waiting.set(part, resolve)),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
