// What WhatsApp tells of accounts, as it passes by on NATS. Nothing is stored or repeated: what goes unheard is found at the next look.
import type { Logger } from "pino";
import { connectNats, type Nats, subscribeCore } from "#lib/nats.ts";
import type { TlsFiles } from "#lib/tls-files.ts";

export type AccountNews = AsyncDisposable & {
  /** Called with the account's id when something of it may have changed. */
  follow(listener: (wabaId: string) => void): void;
};

/** Meta's webhook fields that are about what an account's status shows. */
const fields = new Set([
  "account_alerts",
  "account_review_update",
  "account_update",
  "business_capability_update",
  "business_status_update",
]);

type Options = { url: string; log: Logger; tls?: TlsFiles | undefined };

/** Connects in the background, for as long as it takes. */
export function followAccountNews({ url, log, tls }: Options): AccountNews {
  const closing = new AbortController();
  const listeners: ((wabaId: string) => void)[] = [];
  let nats: Nats | undefined;

  function hear(subject: string): void {
    const [, , field = "", wabaId = ""] = subject.split(".");
    if (fields.has(field)) for (const listener of listeners) listener(wabaId);
  }

  async function connect(): Promise<void> {
    let isTold = false;
    while (nats === undefined && !closing.signal.aborted) {
      try {
        nats = await connectNats({ url, name: "operator", log, signal: closing.signal, tls });
        subscribeCore(nats, "wa.account.>", (_, subject) => hear(subject));
      } catch (error) {
        if (!closing.signal.aborted && !isTold)
          log.warn({ err: error }, "NATS is away, going on without news of accounts");
        isTold = true;
      }
    }
  }

  const connecting = connect();
  return {
    follow: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await connecting;
      await nats?.[Symbol.asyncDispose]();
    },
  };
}
