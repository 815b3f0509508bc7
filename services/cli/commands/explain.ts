// Asks over the REST API what would become of messages, and tells it to people. Nothing is sent.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseRecipient } from "#dialects/phone.ts";
import type { ExplainOptions } from "../args.ts";
import type { Context } from "../context.ts";
import { exitCodes, UsageError } from "../errors.ts";
import { type Explained, postExplain } from "../gateway.ts";
import { findNumberId } from "../numbers.ts";
import { json, list } from "../render.ts";
import { bodyOf } from "./send.ts";

/** A failure if at least one message would not be allowed. */
export async function explain(options: ExplainOptions, context: Context): Promise<number> {
  const { places, out, signal } = context;
  const recipients = options.toFile === undefined ? options.to : await readRecipients(options.toFile);
  const phoneNumberId = await findNumberId(options.number, context);
  const gateway = { url: places.gateway(), token: places.token(), signal };
  const messages = recipients.map((to) => bodyOf({ to, message: options.message }));
  const explained = await postExplain(gateway, phoneNumberId, messages, headersOf(options));
  const [only] = explained.messages;
  if (context.json) out(json(explained));
  else out(only !== undefined && recipients.length === 1 ? toldOf(only, explained.limit) : summed(explained));
  return explained.summary.allowed === explained.summary.total ? exitCodes.ok : exitCodes.failed;
}

const standardInput = "-";

/** Empty lines are left out. */
async function readRecipients(file: string): Promise<string[]> {
  const content = await (file === standardInput ? text(process.stdin) : readFile(file, "utf8")).catch(
    (cause: unknown) => {
      throw new UsageError(`${file} cannot be read`, { cause });
    },
  );
  const lines = content.split("\n").map((line) => line.trim());
  const recipients = lines.flatMap((line, at) => {
    if (line === "") return [];
    const digits = parseRecipient(line);
    if (digits === undefined) throw new UsageError(`line ${at + 1} of ${file} is no phone number with country code`);
    return [digits];
  });
  if (recipients.length === 0) throw new UsageError(`${file} has no phone number`);
  return recipients;
}

function headersOf({ lane, ttlSeconds }: ExplainOptions): Record<string, string> {
  return {
    ...(lane !== undefined && { "Heliograph-Lane": lane }),
    ...(ttlSeconds !== undefined && { "Heliograph-Ttl": String(ttlSeconds) }),
  };
}

type Told = Explained["messages"][number];

function toldOf(told: Told, limit: Explained["limit"]): string {
  const { verdict, reason, details, remedy, error, earliestAt, waitsFor, window, category, priceUnknown, lane } = told;
  const waits = waitsFor === "" ? "" : ` (waits for ${waitsFor})`;
  return list([
    ["verdict", reason === "" ? verdict : `${verdict} by ${reason}`],
    ["found", details],
    ["error", error === undefined ? "" : `${error.code} ${error.title}`],
    ["to do", remedy],
    ["earliest", earliestAt ? `${earliestAt}${waits}` : waits.trim()],
    ["window", window === undefined ? "" : windowText(window)],
    ["category", category],
    ["price", priceUnknown === "" ? "" : `not known: ${priceUnknown}`],
    ["limit", limitText(limit)],
    ["lane", lane],
  ]);
}

function windowText({ open, closesAt, leftSeconds }: NonNullable<Told["window"]>): string {
  if (!open) return closesAt === null ? "never was open" : `closed since ${closesAt}`;
  const minutes = Math.floor(leftSeconds / 60);
  return `open for ${Math.floor(minutes / 60)} h ${minutes % 60} min, until ${closesAt ?? "unknown"}`;
}

function limitText(limit: Explained["limit"]): string {
  if (limit === undefined) return "";
  return `${limit.used} of ${limit.limit ?? "any number of"} users, ${limit.usedAfter} after`;
}

function summed({ summary, limit }: Explained): string {
  const by = (word: string, counts: Record<string, number>) =>
    Object.entries(counts).map(([reason, count]) => [`${word} ${reason}`, String(count)] as const);
  return list([
    ["messages", String(summary.total)],
    ["allowed", String(summary.allowed)],
    ["within 24 hours", String(summary.withinDay)],
    ...by("refused by", summary.refused),
    ...by("not known, away:", summary.unknown),
    ["last allowed goes", summary.lastAllowedAt ?? ""],
    ["last goes at the latest", summary.lastAt ?? ""],
    ["limit", limitText(limit)],
  ]);
}
