// Time and chance as arguments, so that a simulation can drive everything here in virtual time.

export type Clock = {
  /** Only grows; stands still while the machine is paused. */
  monotonicMs(): number;
  /** What people and other machines would read from a clock; may jump. */
  wallMs(): number;
  /** Calls back once; the function it returns takes that back. */
  after(delayMs: number, callback: () => void): () => void;
};

/** 0 inclusive to 1 exclusive. */
export type Random = () => number;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when the signal aborts; never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}
