// When a holder must stop sending, by its own clocks alone: no clock of another machine is compared.

/** One reading of both clocks of this machine, in ms. The monotonic one stands still while the machine sleeps. */
export type Clocks = { monotonicMs: number; wallMs: number };

/** The start of the last good renewal and how long sending is allowed from there. */
export type LeaseTime = { renewedAt: Clocks; stopAfterMs: number };

/** By the clock that moved more, so that neither a sleep nor a clock set back can stretch the time. */
export function elapsedMs(since: Clocks, now: Clocks): number {
  return Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs);
}

/** How long the holder may still send; 0 when it must not. */
export function remainingMs({ renewedAt, stopAfterMs }: LeaseTime, now: Clocks): number {
  return Math.max(0, stopAfterMs - elapsedMs(renewedAt, now));
}

// After that the ledger may soon call the message unknown, so it must not go any more.
const onWireWithinMs = 10_000;

/** The last look before the first byte: of a message whose Begin was asked at `begunAt`. */
export function mayGoOnWire(leaseRemainingMs: number, begunAt: Clocks, now: Clocks): boolean {
  return leaseRemainingMs > 0 && elapsedMs(begunAt, now) < onWireWithinMs;
}

const retryShare = 10;

/** How long after a renewal that failed the next one is tried. */
export function renewRetryMs(renewEveryMs: number): number {
  return renewEveryMs / retryShare;
}
