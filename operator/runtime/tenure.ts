// How long a leader may believe that it leads: from the start of its last good renewal to the renew deadline, by the clock that moved
// more. One stands still while the machine is paused, the other may be set back.
import type { Clock } from "./clock.ts";

export type Moment = { monotonicMs: number; wallMs: number };

export type Tenure = {
  moment(): Moment;
  /** Renewed by a request that was begun at `started`. */
  renew(term: number, started: Moment): void;
  /** Undefined from the deadline on, also before `onExpired` was called. */
  term(): number | undefined;
  hasBegun(): boolean;
  end(): void;
};

export function createTenure(clock: Clock, deadlineMs: number, onExpired: () => void): Tenure {
  let last: (Moment & { term: number }) | undefined;
  let cancel = (): void => undefined;
  const moment = (): Moment => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });
  const leftMs = (since: Moment): number => {
    const now = moment();
    return deadlineMs - Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs);
  };
  return {
    moment,
    renew(term, started) {
      last = { ...started, term };
      cancel();
      cancel = clock.after(Math.max(0, leftMs(started)), onExpired);
    },
    term: () => (last !== undefined && leftMs(last) > 0 ? last.term : undefined),
    hasBegun: () => last !== undefined,
    end() {
      last = undefined;
      cancel();
    },
  };
}
