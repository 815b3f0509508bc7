// At most so many at a time; the rest wait in order.

export type Limiter = {
  /** Resolves when it is one's turn; the function it gives ends the turn. Rejects when the signal aborts first. */
  enter(signal: AbortSignal): Promise<() => void>;
};

export function limiter(most: number): Limiter {
  let running = 0;
  const waiting = new Set<() => void>();
  const leave = (): void => {
    running -= 1;
    const [next] = waiting;
    next?.();
  };
  const begin = (): (() => void) => {
    running += 1;
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      leave();
    };
  };
  return {
    enter(signal) {
      signal.throwIfAborted();
      if (running < most) return Promise.resolve(begin());
      return new Promise((resolve, reject) => {
        const stop = (): void => {
          waiting.delete(start);
          reject(signal.reason);
        };
        const start = (): void => {
          waiting.delete(start);
          signal.removeEventListener("abort", stop);
          resolve(begin());
        };
        waiting.add(start);
        signal.addEventListener("abort", stop, { once: true });
      });
    },
  };
}
