// The customer service window as WhatsApp judges it: open for 24 hours after the user's last message to that number.

const windowMs = 24 * 3_600_000;

/** `lastInboundAt` in ms; undefined where the user never wrote. The closing instant is closed. */
export function isWindowOpen(lastInboundAt: number | undefined, now: number): boolean {
  return lastInboundAt !== undefined && now < lastInboundAt + windowMs;
}

/** When the window that this message opened closes. */
export function windowClosesAt(lastInboundAt: number): number {
  return lastInboundAt + windowMs;
}
