// What a run says: one line, and after a violation everything that helps to find out why.
import type { Result } from "./play.ts";

const mostMessages = 10;

export function lineOf({
  seed,
  kills,
  accepted,
  phones,
  unknown,
  late,
  duplicates,
  lost,
  seconds,
  violations,
}: Result): string {
  const figures = { seed, kills, accepted, phones, unknown, late, duplicates, lost };
  const words = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  return `${[...words, `${seconds.toFixed(0)} s`].join("  ")}${violations.length === 0 ? "" : "  VIOLATED"}`;
}

/** The violations, the histories of their messages, and what was done when. */
export function evidenceOf({ violations, evidence, happened, keptIn, seed }: Result): string {
  const lines = [
    `seed ${seed}: ${violations.length} violations; data and logs ${keptIn === undefined ? "are not kept" : `are in ${keptIn}`}`,
  ];
  for (const { rule, what, messageId } of violations) lines.push(`  ${rule}: ${messageId ?? ""} ${what}`);
  const messageIds = new Set(violations.flatMap(({ messageId }) => messageId ?? []));
  for (const messageId of [...messageIds].slice(0, mostMessages)) {
    lines.push(`  history of ${messageId}:`);
    for (const row of evidence.audit.transitions.filter((one) => one.messageId === messageId)) {
      const { at, from, to, attempt, term, leaseTerm, reason } = row;
      lines.push(
        `    ${timeOf(at)} ${from ?? "-"} → ${to} attempt ${attempt} term ${term} (lease ${leaseTerm}) ${reason}`,
      );
    }
    for (const frame of evidence.frames.filter(({ callbackData }) => callbackData.startsWith(messageId)))
      lines.push(`    ${timeOf(new Date(frame.acceptedAt))} WhatsApp took ${frame.callbackData}`);
  }
  lines.push("  grants:");
  for (const { at, phoneNumberId, term, holder, cause } of evidence.audit.grants)
    lines.push(`    ${timeOf(at)} ${phoneNumberId} term ${term} to ${holder} (${cause})`);
  lines.push("  what was done:");
  for (const { at, what } of happened) lines.push(`    ${timeOf(at)} ${what}`);
  return lines.join("\n");
}

export function summaryOf(results: readonly Result[]): string {
  const sum = (of: (result: Result) => number): number => results.reduce((total, one) => total + of(one), 0);
  const bad = results.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed);
  const figures = `${results.length} runs, ${sum(({ kills }) => kills)} kills, ${sum(({ accepted }) => accepted)} accepted, ${sum(({ phones }) => phones)} on phones, ${sum(({ unknown }) => unknown)} unknown, ${sum(({ late }) => late)} late frames, ${sum(({ duplicates }) => duplicates)} duplicates, ${sum(({ lost }) => lost)} lost`;
  return bad.length === 0 ? figures : `${figures}; violated with seeds ${bad.join(", ")}`;
}

function timeOf(at: Date): string {
  return at.toISOString().slice(11, 23);
}
