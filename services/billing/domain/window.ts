// The customer service window: open for 24 hours after the user's last message, by WhatsApp's time of that message.
// A late, repeated or reordered message never shortens it, and nothing that the business sends opens it.

/** `open` says until when; whether that has passed already is asked of `isOpen`. `closed` was never opened, as far as is known. */
export type Window = { state: "closed" } | { state: "open"; closesAt: Date };

export const closed: Window = { state: "closed" };

const windowMs = 24 * 3_600_000;

// WhatsApp's clock and ours may differ by this much; a time further ahead of ours is wrong and counts as now.
const clockToleranceMs = 60_000;

/** The window after a message that opens it. `at` is WhatsApp's time of the message. Answers the same object if nothing changes. */
export function afterInbound(window: Window, at: Date, now: Date): Window {
  const believedAt = at.getTime() > now.getTime() + clockToleranceMs ? now : at;
  const closesAt = new Date(believedAt.getTime() + windowMs);
  if (closesAt <= now) return window;
  if (window.state === "open" && window.closesAt >= closesAt) return window;
  return { state: "open", closesAt };
}

/** The closing instant itself is closed. */
export function isOpen(window: Window, now: Date): boolean {
  return window.state === "open" && now < window.closesAt;
}

const memoryMs = 24 * 3_600_000;

/** A window that closed before this instant may be forgotten: no message that is older opens it again. */
export function forgottenBefore(now: Date): Date {
  return new Date(now.getTime() - memoryMs);
}
