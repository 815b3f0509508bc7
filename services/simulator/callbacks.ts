// Where news goes: the app's callback URL, or an account's own for field `messages`. A URL must pass Meta's handshake before
// anything is sent to it; until then its news waits. Webhook faults meet the news here.
import type { Log } from "#lib/log.ts";
import { deliveryOf, type NewsDelivery } from "./domain/fault.ts";
import type { Chance } from "./domain/random.ts";
import type { Change } from "./domain/webhook-body.ts";
import type { FaultList } from "./faults.ts";
import { answersChallenge } from "./handshake.ts";
import type { Metrics } from "./metrics.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Settings } from "./settings.ts";
import type { Account } from "./store.ts";
import { WebhookSender } from "./webhook-sender.ts";

export type Callbacks = AsyncDisposable & {
  /** `to` is the user it is about; empty for news of an account. */
  publish(change: Change, account: Account, to: string): void;
  /** Turns to the URL of the settings, and shakes hands with it in the background until that succeeds. */
  retarget(): void;
  /** Shakes hands once. True if the URL answered the challenge, and may from now on be an account's own. */
  verify(url: string, verifyToken: string): Promise<boolean>;
  /** Forgets all news that waits. */
  clear(): void;
  /** Pieces of news not yet answered with 200. */
  waiting(): number;
  state(): { url: string; verified: boolean; waiting: number }[];
};

type CallbacksOptions = {
  settings: () => Settings["webhook"];
  secret: () => string;
  faults: FaultList;
  chance: Chance;
  now: () => number;
  scheduler: Scheduler;
  metrics: Metrics;
  log: Log;
};

const firstHandshakePauseMs = 250;
const longestHandshakePauseMs = 5_000;

export function createCallbacks(options: CallbacksOptions): Callbacks {
  const { settings, faults, chance, now, scheduler, log } = options;
  const senders = new Map<string, WebhookSender>();
  const ending = new AbortController();

  function senderOf(url: string): WebhookSender {
    const found = senders.get(url);
    if (found !== undefined) return found;
    const made = new WebhookSender({ ...options, url });
    senders.set(url, made);
    return made;
  }

  async function verify(url: string, verifyToken: string): Promise<boolean> {
    const isVerified = await answersChallenge(url, verifyToken, ending.signal);
    if (isVerified && !ending.signal.aborted) senderOf(url).open();
    return isVerified;
  }

  async function shakeHands(url: string, pauseMs: number): Promise<void> {
    const isVerified = await verify(url, settings().verifyToken);
    if (ending.signal.aborted || settings().url !== url) return;
    if (isVerified) return log.info({ url }, "callback url verified");
    const nextPauseMs = Math.min(longestHandshakePauseMs, pauseMs * 2);
    if (pauseMs < nextPauseMs && nextPauseMs === longestHandshakePauseMs) {
      log.warn({ url }, "callback url does not answer the handshake, asking on");
    }
    scheduler.at(now() + pauseMs, () => void shakeHands(url, nextPauseMs));
  }

  return {
    publish(change, account, to) {
      const own = change.kind === "account" ? undefined : account.overrideUrl;
      const url = own ?? settings().url;
      if (url === undefined || !account.subscribed) return;
      const sender = senderOf(url);
      const phoneNumberId = change.kind === "account" ? "" : change.phoneNumberId;
      const met = faults.takeWebhook({ phoneNumberId, to, path: "" });
      if (met.length === 0) return sender.push(change);
      const delivery = deliveryOf(met, chance.news);
      if (delivery.delayMs === 0) return deliver(sender, change, delivery);
      scheduler.at(now() + delivery.delayMs, () => deliver(sender, change, delivery));
    },
    retarget() {
      const { url } = settings();
      if (url !== undefined) void shakeHands(url, firstHandshakePauseMs);
    },
    verify,
    clear() {
      for (const sender of senders.values()) sender.clear();
    },
    waiting: () => [...senders.values()].reduce((sum, sender) => sum + sender.waiting, 0),
    state: () => Array.from(senders, ([url, { isOpen, waiting }]) => ({ url, verified: isOpen, waiting })),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await Promise.all(Array.from(senders.values(), (sender) => sender[Symbol.asyncDispose]()));
    },
  };
}

function deliver(sender: WebhookSender, change: Change, { copies, alone, dropFirst }: NewsDelivery): void {
  if (!alone) return sender.push(change);
  for (let copy = 0; copy < copies; copy += 1) sender.pushAlone(change, { dropFirst });
}
