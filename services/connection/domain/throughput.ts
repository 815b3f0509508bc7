// The upstream's own limit of a number's pace. Over it WhatsApp refuses with 130429, so the spec's rate never goes above it.

// Messages per second by Meta's level [cloud-api §7.1].
const rates: ReadonlyMap<string, number> = new Map([
  ["STANDARD", 80],
  ["HIGH", 1_000],
]);
const everyNumbers = 80;

/** `level` is Meta's word: undefined while it was not told yet, which allows what every number has; any other word limits nothing. */
export function rateWithin(messagesPerSecond: number, level: string | undefined): number {
  const most = level === undefined ? everyNumbers : rates.get(level);
  return most === undefined ? messagesPerSecond : Math.min(messagesPerSecond, most);
}
