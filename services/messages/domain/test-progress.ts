// Where the progress of a message begins, for the tables of those who decide over it.
import type { Progress } from "./progress.ts";

/** A time of the day on which these messages live. */
export const at = (time: string): Date => new Date(`2026-03-02T${time}Z`);

export const accepted: Progress = {
  state: "accepted",
  attempt: 0,
  term: 0,
  dueAt: at("09:00:00"),
  expiresAt: at("12:00:00"),
  wamid: undefined,
  reason: "",
  error: undefined,
  pricing: undefined,
  sendingAt: undefined,
  sentAt: undefined,
  sentNewsAt: undefined,
  deliveredAt: undefined,
  readAt: undefined,
  failedAt: undefined,
};
