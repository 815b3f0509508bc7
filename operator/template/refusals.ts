// What a refusal of WhatsApp, or of the templates service in its place, means for a template, and when it is worth trying again.
import type { Reason } from "./reasons.ts";

export type Fault = { code: string; reason: string; message: string; retryAfterMs: number | undefined };

export type Verdict =
  | { kind: "refused"; reason: Reason; message: string; retryMs: number }
  /** What is known was old, or nobody knows whether it was done: the account is to be read before anything is tried again. */
  | { kind: "unclear" };

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** By Meta's error subcode. */
const subcodes: Record<string, { reason: Reason; message: string; retryMs: number }> = {
  "2388023": {
    reason: "NameBlocked",
    message: "a template of this name and language was deleted, and WhatsApp keeps its name blocked for 30 days",
    retryMs: 6 * hourMs,
  },
  "2388019": {
    reason: "TooManyTemplates",
    message: "the account has as many templates as WhatsApp allows",
    retryMs: 6 * hourMs,
  },
};

/** By Meta's error code. */
const codes: Record<string, { reason: Reason; message: string; retryMs: number }> = {
  "4": { reason: "RateLimited", message: "WhatsApp takes no more calls for now", retryMs: hourMs },
  "80007": { reason: "RateLimited", message: "WhatsApp takes no more calls of this account for now", retryMs: hourMs },
  "190": { reason: "TokenRefused", message: "WhatsApp refuses the access token", retryMs: 10 * minuteMs },
  "10": { reason: "TokenRefused", message: "the access token may not manage templates", retryMs: 10 * minuteMs },
  "200": { reason: "TokenRefused", message: "the access token may not manage templates", retryMs: 10 * minuteMs },
};

const exists = "2388024";

/** What Meta refuses stays refused until the content changes; it is tried once a day, since its rules change too. */
const contentRetryMs = 24 * hourMs;

export function judgeFault({ code, reason, message }: Fault): Verdict {
  if (reason === "number_disconnected")
    return {
      kind: "refused",
      reason: "NoConnectedNumber",
      message: "the account has no connected number, through which templates go to WhatsApp",
      retryMs: 15_000,
    };
  if (reason === "upstream_refused") return judgeRefusal(message);
  if (code === "INVALID_ARGUMENT") return { kind: "refused", reason: "Refused", message, retryMs: contentRetryMs };
  return { kind: "unclear" };
}

function judgeRefusal(message: string): Verdict {
  const [, metaCode = "", subcode = ""] = /\bcode (\d+)(?:, subcode (\d+))?/.exec(message) ?? [];
  if (subcode === exists) return { kind: "unclear" };
  const known = subcodes[subcode] ?? codes[metaCode];
  if (known === undefined) return { kind: "refused", reason: "Refused", message, retryMs: contentRetryMs };
  return { kind: "refused", ...known, message: `${known.message} (${message})` };
}
