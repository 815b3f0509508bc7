// Time that a test moves by hand, for what takes a Clock.
import type { Clock } from "#operator/runtime/clock.ts";

export type VirtualClock = Clock & {
  /** Fires what becomes due, in order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** The machine sleeps: only the wall clock moves, and nothing fires. */
  sleep(ms: number): void;
};

type Timer = { atMs: number; callback: () => void };

/** Starts at 2026-01-01. */
export function virtualClock(): VirtualClock {
  let monotonicMs = 0;
  let wallMs = Date.UTC(2026, 0, 1);
  const timers = new Set<Timer>();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  function nextBefore(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) if (timer.atMs <= (next === undefined ? endMs : next.atMs - 1e-6)) next = timer;
    return next;
  }

  return {
    monotonicMs: () => monotonicMs,
    wallMs: () => wallMs,
    after(delayMs, callback) {
      const timer = { atMs: monotonicMs + Math.max(0, delayMs), callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(ms) {
      const endMs = monotonicMs + ms;
      await settle();
      for (let next = nextBefore(endMs); next !== undefined; next = nextBefore(endMs)) {
        timers.delete(next);
        wallMs += next.atMs - monotonicMs;
        monotonicMs = next.atMs;
        next.callback();
        await settle();
      }
      wallMs += endMs - monotonicMs;
      monotonicMs = endMs;
    },
    sleep: (ms) => void (wallMs += ms),
  };
}
