// What templates does with the news. Every event may come again: what is known to be newer stays.
import type { Log } from "#lib/log.ts";
import type { Event } from "#lib/nats.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { insertAccounts, lockAccounts, saveDueTimes } from "./account-store.ts";
import { dueAfterNews } from "./domain/schedule.ts";
import { afterNews, isDocumented } from "./domain/state.ts";
import { keyText } from "./domain/sync.ts";
import type { Metrics } from "./metrics.ts";
import { type AccountTemplateKey, lockReviews, saveReviews, type StoredReview } from "./store.ts";
import { type News, parseNews } from "./wire.ts";

type Dependencies = {
  db: Pool;
  now: () => Date;
  log: Log;
  metrics: Metrics;
  /** Accounts are due to be read. */
  onDue: () => void;
};

type ReviewChange = News & { kind: "review" };

/** One commit for all events of a batch. */
export function templatesConsumer({ db, now, log, metrics, onDue }: Dependencies) {
  return async (events: readonly Event[]): Promise<void> => {
    const news = events.map(parse).filter((one) => one !== undefined);
    if (news.length === 0) return;
    const changes = news.filter((one) => one.kind === "review");
    const connected = news.filter((one) => one.kind === "connected").map(({ wabaId }) => wabaId);
    const isDue = await transaction(db, async (tx) => {
      const at = now();
      await insertAccounts(tx, connected, at);
      const due = await bringForward(tx, news.flatMap(accountToRead), at);
      await saveChanges(tx, changes);
      return due;
    });
    metrics.undocumented.inc(
      changes.flatMap((one) => one.news).filter(({ field, value }) => field === "status" && !isDocumented(value))
        .length,
    );
    if (isDue) onDue();
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

function accountToRead(news: News): string[] {
  if (news.kind === "review") return news.needsSync ? [news.key.wabaId] : [];
  return [news.wabaId];
}

/** Answers whether any account is to be read. Accounts that were never connected here are not ours. */
async function bringForward(tx: Queryable, wabaIds: readonly string[], now: Date): Promise<boolean> {
  const accounts = await lockAccounts(tx, [...new Set(wabaIds)]);
  const dues = accounts.map(({ wabaId, syncedAt, syncDueAt }) => ({
    wabaId,
    dueAt: dueAfterNews(syncedAt, syncDueAt, now),
  }));
  if (dues.length > 0) await saveDueTimes(tx, dues);
  return dues.length > 0;
}

async function saveChanges(tx: Queryable, changes: readonly ReviewChange[]): Promise<void> {
  if (changes.length === 0) return;
  const stored = await lockReviews(
    tx,
    changes.map(({ key }) => key),
  );
  const after = stored.map((template) => decide(template, changes));
  const changed = after.filter((template, index) => template !== stored[index]);
  if (changed.length > 0) await saveReviews(tx, changed);
}

/** The same object if nothing changes. */
function decide(template: StoredReview, changes: readonly ReviewChange[]): StoredReview {
  const own = changes.filter(({ key }) => isSame(key, template));
  const review = own.flatMap(({ news }) => news).reduce(afterNews, template.review);
  return review === template.review ? template : { ...template, review };
}

function isSame(a: AccountTemplateKey, b: AccountTemplateKey): boolean {
  return a.wabaId === b.wabaId && keyText(a) === keyText(b);
}
