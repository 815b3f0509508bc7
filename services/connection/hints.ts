// Plain NATS: hints that only spare waiting. Everything they tell is also learned by a renewal, so NATS may be away at any time.
import { connectNats, type Nats, subscribeCore } from "#lib/nats.ts";
import type { Log } from "#lib/log.ts";
import type { TlsFiles } from "#lib/tls-files.ts";

export type Hints = AsyncDisposable & {
  /** From now on also hears of changes in this account. */
  followAccount(wabaId: string): void;
};

type Options = {
  url: string;
  tls: TlsFiles | undefined;
  phoneNumberId: string;
  log: Log;
  /** wa.wake: work is due. */
  onWake: () => void;
  /** wa.fence: someone wants the number. */
  onFence: () => void;
  /** wa.lease: the lease is free. */
  onLeaseFree: () => void;
  /** wa.account: something changed in the account that is followed; `field` is Meta's word for what. */
  onAccount: (field: string) => void;
};

/** Connects in the background, for as long as it takes. */
export function listenForHints(options: Options): Hints {
  const { url, tls, phoneNumberId, log, onWake, onFence, onLeaseFree, onAccount } = options;
  const closing = new AbortController();
  const followed = new Set<string>();
  let nats: Nats | undefined;

  function subscribe(subject: string, fn: (heard: string) => void): void {
    if (nats !== undefined && !nats.isClosed()) subscribeCore(nats, subject, (_, heard) => fn(heard));
  }

  function follow(wabaId: string): void {
    subscribe(`wa.account.*.${wabaId}`, (heard) => onAccount(heard.split(".")[2] ?? ""));
  }

  async function connect(): Promise<void> {
    while (nats === undefined) {
      try {
        nats = await connectNats({ url, name: `connection ${phoneNumberId}`, log, signal: closing.signal, tls });
      } catch (error) {
        if (closing.signal.aborted) return;
        log.warn({ err: error }, "NATS is away, going on without hints");
      }
      if (closing.signal.aborted) {
        await nats?.[Symbol.asyncDispose]();
        return;
      }
    }
    subscribe(`wa.wake.${phoneNumberId}`, onWake);
    subscribe(`wa.fence.${phoneNumberId}`, onFence);
    subscribe(`wa.lease.${phoneNumberId}`, onLeaseFree);
    for (const wabaId of followed) follow(wabaId);
    await nats.flush().catch(() => undefined);
    // What was told before this moment went unheard.
    onWake();
  }

  void connect();
  return {
    followAccount(wabaId) {
      if (followed.has(wabaId)) return;
      followed.add(wabaId);
      follow(wabaId);
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await nats?.[Symbol.asyncDispose]();
    },
  };
}
