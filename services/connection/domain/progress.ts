// Whether a loop still turns: at each turn it says how soon the next one comes. Late by much, it is stuck, and only a restart helps.

export type Progress = {
  /** A turn; the next one comes within that time, whatever peers do. Times are monotonic ms. */
  turn(nowMs: number, nextWithinMs: number): void;
  /** No turn is expected any more. */
  stop(): void;
  isStuck(nowMs: number): boolean;
};

// A busy machine, a paused process that has just gone on.
const slackMs = 15_000;

export function createProgress(): Progress {
  let expectedMs = Number.POSITIVE_INFINITY;
  return {
    turn(nowMs, nextWithinMs) {
      expectedMs = nowMs + nextWithinMs;
    },
    stop() {
      expectedMs = Number.POSITIVE_INFINITY;
    },
    isStuck: (nowMs) => nowMs > expectedMs + slackMs,
  };
}
