// What quality does with the news. Every event may come again: a reservation is released once, times only move forward.
import { ServiceError } from "#lib/errors.ts";
import type { Log } from "#lib/log.ts";
import type { Event } from "#lib/nats.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { activeUntil, afterNews, changesBetween, type MessageNews, type Use } from "./domain/limit.ts";
import {
  deleteReservations,
  loadReservations,
  loadUses,
  saveLapseTimes,
  saveUsers,
  type StoredUse,
} from "./limit-store.ts";
import type { Metrics } from "./metrics.ts";
import { addUsed, lockScopes } from "./scope-store.ts";
import { placeNumbers } from "./scopes.ts";
import { deleteNumbers, insertNumbers, lockNumbers, makeDue } from "./store.ts";
import { type News, parseNews } from "./wire.ts";

type Dependencies = {
  db: Pool;
  now: () => Date;
  log: Log;
  metrics: Metrics;
  /** Numbers are due to be read. */
  onDue: () => void;
};

/** One commit for the messages of a batch, and one for the rest, which is rare. */
export function qualityConsumer({ db, now, log, metrics, onDue }: Dependencies) {
  return async (events: readonly Event[]): Promise<void> => {
    const news = events.map(parse).filter((one) => one !== undefined);
    const ofMessages = news.filter((one) => one.kind === "message").map((one) => one.news);
    const ofNumbers = news.filter((one) => one.kind !== "message");
    if (ofNumbers.length > 0) {
      await transaction(db, (tx) => saveNumberNews(tx, ofNumbers, now()), "news.numbers");
      onDue();
    }
    if (ofMessages.length > 0) await transaction(db, (tx) => saveMessageNews(tx, ofMessages, now()), "news.messages");
  };

  function parse(event: Event): News | undefined {
    try {
      return parseNews(event.subject, event.data);
    } catch (error) {
      metrics.ignored.inc();
      log.error({ err: error, subject: event.subject, seq: event.seq }, "event cannot be read, left out");
      return undefined;
    }
  }
}

type NumberNews = Exclude<News, { kind: "message" }>;

async function saveNumberNews(tx: Queryable, news: readonly NumberNews[], now: Date): Promise<void> {
  const accounts = news.filter((one) => one.kind === "account");
  // Of a number that was removed and connected again, the last counts.
  const last = new Map(news.flatMap((one) => (one.kind === "account" ? [] : [[one.phoneNumberId, one] as const])));
  const told = [...last.values()].filter((one) => one.kind === "connected");
  const connected = told.map(({ phoneNumberId }) => phoneNumberId);
  const removed = [...last.values()].filter((one) => one.kind === "removed").map(({ phoneNumberId }) => phoneNumberId);
  await insertNumbers(tx, connected, now);
  const wabaIds = [...told.flatMap(({ wabaId }) => wabaId ?? []), ...accounts.map(({ wabaId }) => wabaId)];
  const numbers = await lockNumbers(tx, { phoneNumberIds: [...connected, ...removed], wabaIds });
  const reports = accounts.flatMap(({ wabaId, tier, at }) => {
    const one = numbers.find((number) => number.wabaId === wabaId);
    return one === undefined ? [] : [{ phoneNumberId: one.phoneNumberId, tier, reportedAt: at }];
  });
  await placeNumbers(tx, numbers, { told, reports });
  const touched = numbers.filter(({ wabaId }) => accounts.some((account) => account.wabaId === wabaId));
  await makeDue(tx, [...connected, ...touched.map(({ phoneNumberId }) => phoneNumberId)], now);
  await deleteNumbers(tx, removed);
}

/** Only messages that hold a reservation concern the limit: of all others nothing is written. */
async function saveMessageNews(tx: Queryable, news: readonly MessageNews[], now: Date): Promise<void> {
  const reservations = await loadReservations(
    tx,
    news.map(({ messageId }) => messageId),
  );
  if (reservations.length === 0) return;
  const scopeIds = [...new Set(reservations.map(({ scopeId }) => scopeId))];
  const scopes = await lockScopes(tx, scopeIds);
  if (scopes.length < scopeIds.length)
    throw new ServiceError("ABORTED", "scope_merged", `a scope of ${scopeIds.join(", ")} was merged meanwhile`);
  const keys = new Map(
    reservations.map((one) => [`${one.scopeId} ${one.userId}`, { scopeId: one.scopeId, userId: one.userId }]),
  );
  const before = await loadUses(tx, [...keys.values()]);
  const changes = before.map((stored) => ({
    stored,
    after: news.reduce((use, one) => afterNews(use, one, now), stored.use),
  }));
  await saveChanges(
    tx,
    changes.filter(({ stored, after }) => after !== stored.use),
    now,
  );
}

type Change = { stored: StoredUse; after: Use };

async function saveChanges(tx: Queryable, changes: readonly Change[], now: Date): Promise<void> {
  const users = changes.flatMap(({ stored: { scopeId, userId, isActive }, after }) => {
    const until = activeUntil(after);
    // Who takes up no place gets no row; who has one loses it when places are looked for.
    if (until === undefined || (!isActive && until <= now)) return [];
    return [{ scopeId, userId, isActive, countedAt: after.countedAt, activeUntil: until }];
  });
  const reservations = changes.map(({ stored, after }) => changesBetween(stored.use, after));
  const moved = reservations.flatMap((one) => one.moved);
  const released = reservations.flatMap((one) => one.released);
  const newUsers = Map.groupBy(
    users.filter(({ isActive }) => !isActive),
    ({ scopeId }) => scopeId,
  );
  if (users.length > 0) await saveUsers(tx, users);
  if (moved.length > 0) await saveLapseTimes(tx, moved);
  if (released.length > 0) await deleteReservations(tx, released);
  if (newUsers.size > 0)
    await addUsed(
      tx,
      [...newUsers].map(([scopeId, added]) => ({ scopeId, added: added.length })),
    );
}
