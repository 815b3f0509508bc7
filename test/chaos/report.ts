// What a run says: one line, figures that can be added up over pieces, and after a violation everything that helps to find out why.
import { z } from "zod";
import type { Play, Result } from "./play.ts";

const mostMessages = 10;

const count = z.number().int().min(0);
const figuresSchema = z.object({
  seed: z.number().int(),
  kills: count,
  crashes: count,
  freezes: count,
  jumps: count,
  upstream: count,
  rivals: count,
  accepted: count,
  phones: count,
  unknown: count,
  late: count,
  duplicates: count,
  lost: count,
  violations: count,
  seconds: count,
});

/** Of one run, for adding up. */
export type Figures = z.infer<typeof figuresSchema>;

export function figuresOf({
  seed,
  tally,
  accepted,
  phones,
  unknown,
  late,
  duplicates,
  lost,
  violations,
  seconds,
}: Result): Figures {
  const counts = { accepted, phones, unknown, late, duplicates, lost };
  return { seed, ...tally, ...counts, violations: violations.length, seconds: Math.round(seconds) };
}

/** One JSON object a line, as --append writes them. Throws on any other line. */
export function parseFigures(text: string): Figures[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => figuresSchema.parse(JSON.parse(line)));
}

export function lineOf({ violations, seconds, ...counts }: Figures): string {
  const words = Object.entries(counts).map(([name, value]) => `${name} ${value}`);
  return `${[...words, `${seconds} s`].join("  ")}${violations === 0 ? "" : "  VIOLATED"}`;
}

/** The violations, how to see them again, the histories of their messages, and what was done when. */
export function evidenceOf(
  { violations, evidence, happened, keptIn, seed }: Result,
  { kills, perSecond }: Pick<Play, "kills" | "perSecond">,
): string {
  const lines = [
    `seed ${seed}: ${violations.length} violations; data and logs ${keptIn === undefined ? "are not kept" : `are in ${keptIn}`}`,
    `  again: npm run chaos -- --seed ${seed} --kills ${kills} --rate ${perSecond} --verbose`,
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

/** The sum over all runs, and the seeds that have something to look at. */
export function summaryOf(runs: readonly Figures[]): string {
  const sum = (of: (run: Figures) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const bad = runs.filter(({ violations }) => violations > 0).map(({ seed }) => seed);
  const lines = [
    `${runs.length} runs, ${(sum(({ seconds }) => seconds) / 60).toFixed(0)} min`,
    `done: ${sum(({ kills }) => kills)} kills (${sum(({ crashes }) => crashes)} at a named point), ${sum(({ freezes }) => freezes)} freezes, ${sum(({ jumps }) => jumps)} jumps of a clock, ${sum(({ rivals }) => rivals)} rivals, ${sum(({ upstream }) => upstream)} faults of WhatsApp`,
    `messages: ${sum(({ accepted }) => accepted)} accepted, ${sum(({ phones }) => phones)} on phones, ${sum(({ unknown }) => unknown)} ended unknown, ${sum(({ late }) => late)} late frames`,
    `verdict: ${sum(({ duplicates }) => duplicates)} duplicates, ${sum(({ lost }) => lost)} lost, ${sum(({ violations }) => violations)} violations in all${bad.length === 0 ? "" : `, with seeds ${bad.join(", ")}`}`,
  ];
  return lines.join("\n");
}

function timeOf(at: Date): string {
  return at.toISOString().slice(11, 23);
}
