// Events leave a service through a table: written in the transaction that made them true, published to JetStream afterwards.
//
// Every schema that publishes has this table:
//   create table <schema>.outbox (
//     id bigint generated always as identity primary key,
//     subject text not null,
//     event_id text not null,
//     payload bytea not null,
//     trace text,
//     created_at timestamptz not null
//   );
//
// Order: ids are drawn before commit, so a row with a lower id may appear after a higher one was published. Per message it
// cannot: whoever writes a row about a message has locked that message's row, so its next writer draws its ids later and
// commits later. Rows are deleted by exact id, never by "up to", so a late one is not lost either.
import { jetstream, type JetStreamClient } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { Counter, Gauge, type Registry } from "prom-client";
import { faultPoint } from "./fault-points.ts";
import { type Loop, loop, sleep } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { type Pool, type Queryable, transaction } from "./postgres.ts";
import { currentTraceparent } from "./telemetry.ts";

export type OutboxRow = {
  subject: string;
  /** Derived from what happened, never drawn: the same event made again has the same id. */
  eventId: string;
  payload: Uint8Array;
};

/** Writes the rows as part of the transaction. Poke the publisher after it has committed. */
export async function enqueue(tx: Queryable, schema: string, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  // created_at is the machine's time, not the system's: it only measures how long events wait here.
  await tx.query({
    name: `enqueue_${schema}_outbox`,
    text: `
      insert into ${schema}.outbox (subject, event_id, payload, trace, created_at)
      select subject, event_id, payload, $4, clock_timestamp()
      from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as new (subject, event_id, payload, position)
      order by position`,
    values: [
      rows.map(({ subject }) => subject),
      rows.map(({ eventId }) => eventId),
      rows.map(({ payload }) => Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)),
      currentTraceparent() ?? null,
    ],
  });
}

type PublisherOptions = {
  /** Cheapest if it pipelines: a transaction then takes three round trips, not five. */
  pool: Pool;
  schema: string;
  nc: NatsConnection;
  log: Log;
  registry: Registry;
};

export type Publisher = AsyncDisposable & {
  /** Rows were committed: publish them now. Without it they leave within a second. */
  poke(): void;
};

const batch = 256;
const fallbackMs = 1_000;
// How soon to look again when another copy publishes at this moment: it may have read before our rows were committed.
const busyMs = 50;
// Between two transactions, so that events that are committed one after the other share one.
const gapMs = 10;
const natsTimeoutMs = 2_000;
const publishTimeoutMs = 3_000;

/**
 * Publishes the outbox of a schema, one copy of the service at a time, with the event id as Nats-Msg-Id.
 * Per message order holds while JetStream takes all of a batch; one it refuses alone comes later than its successors.
 */
export function startPublisher({ pool, schema, nc, log, registry }: PublisherOptions): Publisher {
  const js = jetstream(nc, { timeout: publishTimeoutMs });
  const metrics = publisherMetrics(registry);
  const reach = watchReach(nc);
  const publishing: Loop = loop({
    name: `${schema} outbox`,
    intervalMs: fallbackMs,
    jitter: 0.1,
    log,
    async task(signal) {
      // Not inside the transaction: while NATS is away no connection and no lock is held.
      if (!(await reach.isGood(signal))) return;
      const outcome = await transaction(pool, (tx) => publishSome(tx, schema, js, metrics), "outbox.commit");
      switch (outcome) {
        case "busy":
          await sleep(busyMs, signal);
          return "again";
        case "more":
          return "again";
        case "done":
          await sleep(gapMs, signal);
          return undefined;
        case "failed":
          reach.doubt();
          log.warn({ schema }, "JetStream did not take every event, will try again");
          return undefined;
      }
    },
  });
  return {
    poke: () => publishing.wake(),
    [Symbol.asyncDispose]: () => publishing[Symbol.asyncDispose](),
  };
}

type Metrics = { published: Counter; oldestAge: Gauge };

function publisherMetrics(registry: Registry): Metrics {
  return {
    published: new Counter({
      name: "outbox_published_total",
      help: "Events published and acknowledged by JetStream",
      registers: [registry],
    }),
    oldestAge: new Gauge({
      name: "outbox_oldest_age_seconds",
      help: "How long the oldest event read last had been waiting",
      registers: [registry],
    }),
  };
}

type Reach = {
  /** Whether NATS answers; asked only when that is in doubt, as the question costs as much as an event. */
  isGood(signal: AbortSignal): Promise<boolean>;
  doubt(): void;
};

/** Doubted until the first answer, after a lost connection, and when told so. */
function watchReach(nc: NatsConnection): Reach {
  let isDoubtful = true;
  void (async () => {
    for await (const { type } of nc.status()) if (type === "disconnect") isDoubtful = true;
  })();
  return {
    async isGood(signal) {
      if (isDoubtful || nc.isClosed() || nc.isDraining()) isDoubtful = !(await answers(nc, signal));
      return !isDoubtful;
    },
    doubt: () => void (isDoubtful = true),
  };
}

async function answers(nc: NatsConnection, signal: AbortSignal): Promise<boolean> {
  if (nc.isClosed() || nc.isDraining()) return false;
  const flushed = nc.flush().then(
    () => true,
    () => false,
  );
  const timedOut = new AbortController();
  const late = sleep(natsTimeoutMs, AbortSignal.any([signal, timedOut.signal])).then(() => false);
  const result = await Promise.race([flushed, late]);
  timedOut.abort();
  return result;
}

type Row = { id: number; subject: string; event_id: string; payload: Uint8Array; trace: string | null; age: number };

type Outcome = "busy" | "done" | "more" | "failed";

async function publishSome(tx: Queryable, schema: string, js: JetStreamClient, metrics: Metrics): Promise<Outcome> {
  const rows = await lockAndRead(tx, schema);
  if (rows === undefined) return "busy";
  metrics.oldestAge.set(rows[0]?.age ?? 0);
  if (rows.length === 0) return "done";
  faultPoint("outbox.publish.before");
  const outcomes = await Promise.allSettled(rows.map((row) => publish(js, row)));
  faultPoint("outbox.publish.after");
  const taken = rows.filter((_, index) => outcomes[index]?.status === "fulfilled").map(({ id }) => id);
  await tx.query({
    name: `delete_${schema}_outbox`,
    text: `delete from ${schema}.outbox where id = any ($1::bigint[])`,
    values: [taken],
  });
  metrics.published.inc(taken.length);
  if (taken.length < rows.length) return "failed";
  return rows.length === batch ? "more" : "done";
}

/** Undefined if another copy has the lock. Two statements: the second sees what whoever had the lock before has deleted. */
async function lockAndRead(tx: Queryable, schema: string): Promise<Row[] | undefined> {
  const locking = tx.query<{ held: boolean }>({
    name: "try_outbox_lock",
    text: "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as held",
    values: [`heliograph.outbox.${schema}`],
  });
  const reading = tx.query<Row>({
    name: `read_${schema}_outbox`,
    text: `
      select id, subject, event_id, payload, trace, extract(epoch from clock_timestamp() - created_at)::float8 as age
      from ${schema}.outbox
      order by id
      limit ${batch}`,
  });
  const [{ rows: locks }, { rows }] = await Promise.all([locking, reading]);
  return locks[0]?.held === true ? rows : undefined;
}

async function publish(js: JetStreamClient, row: Row): Promise<void> {
  if (row.trace === null) {
    await js.publish(row.subject, row.payload, { msgID: row.event_id });
    return;
  }
  const traced = headers();
  traced.set("traceparent", row.trace);
  await js.publish(row.subject, row.payload, { msgID: row.event_id, headers: traced });
}
