// When each subscription last succeeded and failed: kept here and saved twice a second at most, in one statement for all.
// A crash loses half a second of it, and nothing else.
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { saveStatuses, type StatusChange } from "./subscription-store.ts";

export type Statuses = AsyncDisposable & {
  succeeded(subscriptionId: number, at: Date): void;
  /** `pausedUntil`: the endpoint is left alone until then. */
  failed(subscriptionId: number, at: Date, reason: string, pausedUntil: Date | undefined): void;
};

const lingerMs = 500;

/** Disposing saves what is left. */
export function createStatuses({ db, log }: { db: Queryable; log: Log }): Statuses {
  let pending = new Map<number, StatusChange>();
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<void> = Promise.resolve();

  function note(subscriptionId: number, change: StatusChange): void {
    pending.set(subscriptionId, { ...pending.get(subscriptionId), ...change });
    timer ??= setTimeout(() => {
      timer = undefined;
      last = last.then(save);
    }, lingerMs);
  }

  async function save(): Promise<void> {
    const changes = pending;
    pending = new Map();
    try {
      if (changes.size > 0) await saveStatuses(db, changes);
    } catch (error) {
      log.warn({ err: error }, "statuses of subscriptions are not saved yet");
      for (const [subscriptionId, change] of changes)
        note(subscriptionId, { ...change, ...pending.get(subscriptionId) });
    }
  }

  return {
    succeeded: (subscriptionId, at) => note(subscriptionId, { lastSuccessAt: at }),
    failed: (subscriptionId, at, reason, pausedUntil) =>
      note(subscriptionId, {
        lastFailureAt: at,
        lastFailure: reason,
        ...(pausedUntil !== undefined && { pausedUntil }),
      }),
    async [Symbol.asyncDispose]() {
      await last;
      await save();
      clearTimeout(timer);
    },
  };
}
