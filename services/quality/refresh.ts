// Reads the facts of numbers from WhatsApp, through the connection of each.
// Numbers that are due are rows claimed by one copy of the service at a time; a reading that fails is due again soon.
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { dueAfterReading, retryAfterMs } from "./domain/schedule.ts";
import type { Metrics } from "./metrics.ts";
import { placeNumbers } from "./scopes.ts";
import {
  claimDueNumbers,
  insertNumbers,
  lockNumbers,
  markRefreshFailed,
  saveFacts,
  type StoredNumber,
} from "./store.ts";
import { parseReport, type Report } from "./wire.ts";

type Dependencies = {
  db: Pool;
  messages: Client<typeof MessagesService>;
  /** For connection processes. */
  tls: GrpcTls | undefined;
  now: () => Date;
  log: Log;
  metrics: Metrics;
  everyMs: number;
  pollMs: number;
};

export type Refresh = AsyncDisposable & {
  /** Reads the number's facts now. Throws FAILED_PRECONDITION number_disconnected, NOT_FOUND number_unknown. */
  refreshNumber(phoneNumberId: string): Promise<void>;
  /** Numbers may be due. */
  wake(): void;
};

const claimMs = 120_000;
const claimLimit = 16;
const readDeadlineMs = 10_000;

export function startRefresh(dependencies: Dependencies): Refresh {
  const { db, now, log, pollMs } = dependencies;
  const refreshing: Loop = loop({
    name: "number refresh",
    intervalMs: pollMs,
    log,
    async task(signal) {
      const at = now();
      const claimedUntil = new Date(at.getTime() + claimMs);
      const due = await claimDueNumbers(db, { now: at, claimedUntil, limit: claimLimit });
      await Promise.all(due.map((number) => refreshOrPutOff(dependencies, number, signal)));
      return due.length === claimLimit ? "again" : undefined;
    },
  });
  return {
    refreshNumber: (phoneNumberId) => refreshOnce(dependencies, { phoneNumberId, plannedAt: undefined }),
    wake: () => refreshing.wake(),
    [Symbol.asyncDispose]: () => refreshing[Symbol.asyncDispose](),
  };
}

async function refreshOrPutOff(dependencies: Dependencies, number: StoredNumber, signal: AbortSignal): Promise<void> {
  const { db, now, log } = dependencies;
  const { phoneNumberId, refreshDueAt, refreshFailures } = number;
  try {
    await refreshOnce(dependencies, { phoneNumberId, plannedAt: refreshDueAt }, signal);
  } catch (error) {
    if (signal.aborted) return;
    const { reason } = ServiceError.from(error);
    log.warn({ err: error, phoneNumberId, reason }, "number could not be read, will try again");
    const dueAt = new Date(now().getTime() + retryAfterMs(refreshFailures + 1));
    await markRefreshFailed(db, { phoneNumberId, dueAt, reason });
  }
}

type Reading = {
  phoneNumberId: string;
  /** When the next one is due if no news come meanwhile; undefined: this one is besides the timetable and does not change it. */
  plannedAt: Date | undefined;
};

async function refreshOnce(dependencies: Dependencies, reading: Reading, signal?: AbortSignal): Promise<void> {
  const { metrics } = dependencies;
  try {
    await save(dependencies, reading, await readReport(dependencies, reading.phoneNumberId, signal));
    metrics.refreshes.inc({ outcome: "saved" });
  } catch (error) {
    metrics.refreshes.inc({ outcome: ServiceError.from(error).reason });
    throw error;
  }
}

async function readReport(dependencies: Dependencies, phoneNumberId: string, signal?: AbortSignal): Promise<Report> {
  const { messages, tls, now } = dependencies;
  const askedAt = now();
  const { number } = await messages.getNumber({ phoneNumberId }, { ...(signal && { signal }) });
  if (number?.connection?.connected !== true || number.connection.address === "") {
    throw new ServiceError("FAILED_PRECONDITION", "number_disconnected", `number ${phoneNumberId} is not connected`);
  }
  const { address } = number.connection;
  await using upstream = createClient(UpstreamService, address, { deadlineMs: readDeadlineMs, tls });
  return parseReport(phoneNumberId, await upstream.getPhoneNumber({}, { ...(signal && { signal }) }), askedAt);
}

async function save(
  { db, everyMs, now }: Dependencies,
  { phoneNumberId, plannedAt }: Reading,
  report: Report,
): Promise<void> {
  const { ids, facts, tier, observedAt } = report;
  // The random part keeps numbers that were connected together from being read together for ever.
  const nextAt = new Date(now().getTime() + everyMs * (1 + Math.random() / 10));
  await transaction(db, async (tx) => {
    await insertNumbers(tx, [phoneNumberId], nextAt);
    const wabaIds = ids.wabaId === undefined ? [] : [ids.wabaId];
    const numbers = await lockNumbers(tx, { phoneNumberIds: [phoneNumberId], wabaIds });
    const number = numbers.find((candidate) => candidate.phoneNumberId === phoneNumberId);
    if (number === undefined || isNewer(number.observedAt, observedAt)) return;
    await placeNumbers(tx, numbers, { told: [ids], reports: [{ phoneNumberId, tier, reportedAt: observedAt }] });
    const dueAt = dueAfterReading(plannedAt, number.refreshDueAt, nextAt);
    await saveFacts(tx, { phoneNumberId, facts, observedAt, dueAt });
  });
}

/** Whether what WhatsApp told later was saved meanwhile. */
function isNewer(known: Date | undefined, observedAt: Date): boolean {
  return known !== undefined && known > observedAt;
}
