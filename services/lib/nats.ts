// NATS: a connection that never gives up, streams that keep by interest with their durable consumers, and the reading loop.
// A lost message costs latency, never data: every event can be made again from Postgres.
import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstreamManager } from "@nats-io/jetstream";
import type { ConsumerConfig, JetStreamManager } from "@nats-io/jetstream";
import { RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import { Counter } from "prom-client";
import { ServiceError } from "./errors.ts";
import { sleep } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { backoffMs, type Event } from "./nats-handler.ts";
import { ackWaitMs, type ConsumeOptions, pinnedGroup, readOnce } from "./nats-reader.ts";
import { natsTls } from "./nats-tls.ts";
import type { TlsFiles } from "./tls-files.ts";

export type { Event, NatsConnection };

/** A NATS connection that is drained on dispose. */
export type Nats = NatsConnection & AsyncDisposable;

type ConnectOptions = {
  /** One address, or several separated by commas. */
  url: string;
  /** Shown in the server's list of connections. */
  name: string;
  log: Log;
  /** Ends the waiting for the first connection; the call rejects. */
  signal?: AbortSignal;
  /** Unset: no certificate is shown. */
  tls?: TlsFiles | undefined;
};

const firstConnectMs = 20_000;

/** Addresses without user and password, which a client may put in front of the host. */
function withoutCredentials(url: string): string {
  return url
    .split(",")
    .map((one) => one.replace(/^([a-z]+:\/\/)?.*@/, "$1"))
    .join(",");
}

/** Waits up to 20 s for the first connection, then keeps reconnecting for ever. Rejects with UNAVAILABLE `nats_unavailable`. */
export async function connectNats({ url, name, log, signal, tls }: ConnectOptions): Promise<Nats> {
  const address = withoutCredentials(url);
  const giveUpAt = performance.now() + firstConnectMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const nc = await connect({
        servers: url.split(","),
        name,
        timeout: 2_000,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 10_000,
        maxPingOut: 2,
        // Else each publish makes two errors beforehand, with their stacks, in case one is needed.
        noAsyncTraces: true,
        ...(tls !== undefined && { tls: natsTls(url, tls) }),
      });
      void logStatus(nc, log);
      return Object.assign(nc, { [Symbol.asyncDispose]: () => closeQuietly(nc) });
    } catch (error) {
      if (performance.now() > giveUpAt) {
        throw new ServiceError("UNAVAILABLE", "nats_unavailable", `NATS cannot be reached at ${address}`, {
          cause: error,
        });
      }
      const reason = error instanceof Error ? error.message : String(error);
      log.info({ url: address, reason }, "NATS is not ready yet");
      await sleep(250, signal);
    }
  }
}

async function logStatus(nc: NatsConnection, log: Log): Promise<void> {
  for await (const status of nc.status()) {
    switch (status.type) {
      case "disconnect":
        log.warn({ server: status.server }, "NATS connection lost");
        break;
      case "reconnect":
        log.info({ server: status.server }, "NATS connection restored");
        break;
      case "error":
        log.warn({ err: status.error }, "NATS reports an error");
        break;
      default:
    }
  }
}

/** Draining needs a server; when it is away, or slow, the connection is simply closed. */
async function closeQuietly(nc: NatsConnection): Promise<void> {
  if (nc.isClosed()) return;
  await Promise.race([nc.drain().catch(() => undefined), sleep(1_000)]);
  await nc.close();
}

export type DurableConsumer = {
  durable: string;
  filterSubjects: readonly string[];
  /** After how long without a sign of life the pinned reader is replaced, in ms. Default 5 s, at least 4 s. */
  takeOverMs?: number;
};

type StreamOptions = {
  name: string;
  subjects: readonly string[];
  /** 1, or 3 on a NATS cluster. */
  replicas: number;
  /** All readers of the stream. They are made with it, before the first publish: what nobody waits for is not kept. */
  consumers: readonly DurableConsumer[];
};

const defaultTakeOverMs = 5_000;
const readyMs = 20_000;

/** Makes the stream and its durable consumers, or brings their settings up to date. Unknown consumers are left alone. */
export async function ensureStream(
  nc: NatsConnection,
  { name, subjects, replicas, consumers }: StreamOptions,
): Promise<void> {
  const config = {
    name,
    subjects: [...subjects],
    num_replicas: replicas,
    retention: RetentionPolicy.Interest,
    storage: StorageType.File,
  };
  await retryWhileStarting(async () => {
    const manager = await jetstreamManager(nc, { checkAPI: false });
    // A new stream keeps everything until its readers are there: someone may publish meanwhile, as after NATS lost its disk.
    const present = await loadRetention(manager, name);
    const first = { ...config, retention: present ?? RetentionPolicy.Limits };
    if (present === undefined) await manager.streams.add(first);
    else await manager.streams.update(name, first);
    for (const consumer of consumers) await ensureConsumer(manager, name, consumerConfig(consumer));
    if (first.retention !== config.retention) await manager.streams.update(name, config);
  });
}

type DurableConfig = Partial<ConsumerConfig> & { durable_name: string };

async function ensureConsumer(manager: JetStreamManager, stream: string, config: DurableConfig): Promise<void> {
  try {
    await manager.consumers.add(stream, config);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== consumerExists) throw error;
    await manager.consumers.update(stream, config.durable_name, config);
  }
}

function consumerConfig({ durable, filterSubjects, takeOverMs = defaultTakeOverMs }: DurableConsumer): DurableConfig {
  return {
    durable_name: durable,
    filter_subjects: [...filterSubjects],
    deliver_policy: DeliverPolicy.All,
    // Not "all": an acknowledgement of a newer event would cover older ones that a dead reader had been given and lost.
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: 1_024,
    priority_groups: [pinnedGroup],
    priority_policy: "pinned_client",
    priority_timeout: nanos(takeOverMs),
  };
}

// Codes of the JetStream API.
const streamNotFound = 10_059;
const consumerExists = 10_148;

/** Undefined if there is no such stream. */
async function loadRetention(manager: JetStreamManager, stream: string): Promise<RetentionPolicy | undefined> {
  try {
    return (await manager.streams.info(stream)).config.retention;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === streamNotFound) return undefined;
    throw error;
  }
}

/** JetStream answers some seconds after its server does, later still in a cluster. */
async function retryWhileStarting(task: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + readyMs;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      const isRefusal = error instanceof JetStreamApiError && error.status < 500;
      if (isRefusal || performance.now() > giveUpAt) throw error;
      await sleep(250);
    }
  }
}

/**
 * Reads a durable consumer for as long as it lives: through restarts of NATS, and before the stream exists.
 * Acknowledges a batch only after `handle` resolved; when it rejects, the same batch goes again after 0.2 to 5 s, for ever, unless
 * an event in it is refused: that one is left out, see nats-handler.ts. The oldest event that is not acknowledged goes first, also
 * when another reader was cut off. On dispose the pin is given back, so that another copy goes on at once.
 */
export function consume(options: ConsumeOptions): AsyncDisposable {
  const { stream, durable, signal, log, registry } = options;
  const skipped =
    registry &&
    new Counter({
      name: "events_skipped_total",
      help: "Events left out because they were refused again and again",
      registers: [registry],
    });
  const own = new AbortController();
  const ending = signal === undefined ? own.signal : AbortSignal.any([own.signal, signal]);
  let toldReason = "";
  const finished = (async () => {
    for (let attempt = 0; !ending.aborted; attempt += 1) {
      const onProgress = (): void => {
        attempt = -1;
        toldReason = "";
      };
      try {
        await readOnce({ ...options, onProgress, onSkip: () => skipped?.inc() }, ending);
        toldReason = "";
      } catch (error) {
        // At a first start the stream is not there yet: no stack for what is expected, and one line for all the tries.
        const reason = error instanceof Error ? error.message : String(error);
        if (!ending.aborted && reason !== toldReason) {
          log.info({ reason, stream, durable }, "consumer cannot be read yet, will try again");
          toldReason = reason;
        }
      }
      await sleep(backoffMs(attempt), ending);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      own.abort();
      await finished;
    },
  };
}

/** Hands every message on the subject to `fn`; nothing is stored or repeated. Dispose ends the subscription. */
export function subscribeCore(
  nc: NatsConnection,
  subject: string,
  fn: (data: Uint8Array, subject: string) => void,
): AsyncDisposable {
  const subscription = nc.subscribe(subject, {
    callback: (error, message) => {
      if (error === null) fn(message.data, message.subject);
    },
  });
  return {
    [Symbol.asyncDispose]() {
      subscription.unsubscribe();
      return Promise.resolve();
    },
  };
}
