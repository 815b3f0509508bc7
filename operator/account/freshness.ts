// When WhatsApp is asked about an account again. WhatsApp counts an app's calls, so a quiet account costs a few of them an hour.

export type Freshness = {
  /** When it was last asked with this spec and these credentials, monotonic; undefined: never. */
  readAtMs: number | undefined;
  /** When spec or credentials last changed under our eyes. */
  changedAtMs: number;
  /** When WhatsApp last told news of the account, or something else said that what is known is old. */
  newsAtMs: number;
  /** How often it was asked in the last ten minutes. */
  readsLately: number;
  nowMs: number;
};

export const latelyMs = 600_000;

const calmMs = 480_000;
/** News often come by the dozen: the first are looked into at once, and those of a storm each minute. */
const newsMs = 2_000;
const stormMs = 60_000;
const stormReads = 20;
/** A pod's kubelet takes so long at most to bring a changed Secret into it, and the answers before that are about the old one. */
const changeMs = 180_000;
const watchfulMs = 30_000;

/** 0: now. */
export function nextReadMs({ readAtMs, changedAtMs, newsAtMs, readsLately, nowMs }: Freshness): number {
  if (readAtMs === undefined) return 0;
  const ageMs = nowMs - readAtMs;
  const isWatchful = nowMs - changedAtMs < changeMs;
  const waits = [
    isWatchful ? watchfulMs : calmMs,
    ...(newsAtMs > readAtMs ? [readsLately < stormReads ? newsMs : stormMs] : []),
  ];
  return Math.max(0, Math.min(...waits) - ageMs);
}
