// What the messages service knows of numbers and their leases, followed by its stream. A stream that breaks for a moment (connections
// are ended by age) changes nothing that is told; only a service that stays away does.
import type { Logger } from "pino";
import type { Client } from "#lib/grpc.ts";
import type { MessagesService, Number as MessagesNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type BackoffLimits, backoffMs } from "../runtime/backoff.ts";
import { type Clock, pause, type Random } from "../runtime/clock.ts";
import type { Answer } from "./facts.ts";

export type Registered = {
  number: MessagesNumber;
  /** Since when its lease is known to have lapsed, monotonic; undefined: it has not, or nobody can tell right now. */
  lapsedSinceMs: number | undefined;
};

export type Register = AsyncDisposable & {
  get(phoneNumberId: string): Answer<Registered | undefined>;
  /** Called with each number that changed, and with all of them when the service went away or came back. */
  follow(listener: (phoneNumberId: string) => void): void;
  /** Resolves when everything is known, or the service is known to be away. */
  settled: Promise<void>;
};

type RegisterOptions = {
  messages: Pick<Client<typeof MessagesService>, "watchNumbers">;
  clock: Clock;
  random: Random;
  log: Logger;
  /** So long a broken stream counts for nothing. */
  awayAfterMs?: number;
};

type Entries = Map<string, Registered>;

const backoff: BackoffLimits = { firstMs: 100, mostMs: 5_000 };

export function followRegister(options: RegisterOptions): Register {
  const { messages, clock, log, awayAfterMs = 10_000 } = options;
  const stopping = new AbortController();
  const settled = Promise.withResolvers<void>();
  const listeners: ((phoneNumberId: string) => void)[] = [];
  const tell = (phoneNumberIds: Iterable<string>): void => {
    for (const phoneNumberId of phoneNumberIds) for (const listener of listeners) listener(phoneNumberId);
  };
  let known: Entries = new Map();
  const outage = createOutage(clock, awayAfterMs, (why) => {
    log.warn({ why }, "messages is away");
    settled.resolve();
    tell(known.keys());
  });

  /** Until the stream ends. What comes before `synced` becomes known as one. */
  async function read(): Promise<void> {
    const fresh: Entries = new Map();
    for await (const { change } of messages.watchNumbers({}, { signal: stopping.signal })) {
      const target = outage.isLive() ? known : fresh;
      if (change.case === "number") put(target, change.value, clock.monotonicMs());
      else if (change.case === "removedPhoneNumberId") target.delete(change.value);
      else if (change.case === "synced") become(fresh);
      if (!outage.isLive()) continue;
      if (change.case === "number") tell([change.value.phoneNumberId]);
      else if (change.case === "removedPhoneNumberId") tell([change.value]);
    }
  }

  function become(entries: Entries): void {
    const all = new Set([...known.keys(), ...entries.keys()]);
    known = entries;
    if (outage.awayWhy() !== undefined) log.info("messages is back");
    outage.end();
    settled.resolve();
    tell(all);
  }

  const finished = readAgain(read, outage, { ...options, signal: stopping.signal });
  return {
    get(phoneNumberId) {
      const why = outage.awayWhy();
      if (why !== undefined) return { kind: "away", service: "messages", why };
      const entry = known.get(phoneNumberId);
      if (entry === undefined || outage.isLive()) return { kind: "known", value: entry };
      return { kind: "known", value: { ...entry, lapsedSinceMs: undefined } };
    },
    follow: (listener) => void listeners.push(listener),
    settled: settled.promise,
    async [Symbol.asyncDispose]() {
      outage.end();
      stopping.abort();
      await finished;
    },
  };
}

type Loop = Pick<RegisterOptions, "clock" | "random"> & { signal: AbortSignal };

/** For ever: whatever ends a stream, the next one begins. */
async function readAgain(read: () => Promise<void>, outage: Outage, { clock, random, signal }: Loop): Promise<void> {
  outage.begin("it has not answered yet");
  for (let failures = 0; !signal.aborted;) {
    const startedAtMs = clock.monotonicMs();
    let why = "its stream ended";
    try {
      await read();
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    const wasGood = outage.isLive() && clock.monotonicMs() - startedAtMs > backoff.mostMs;
    failures = wasGood ? 0 : failures + 1;
    outage.begin(why);
    if (failures > 0) await pause(clock, backoffMs(failures, backoff, random), signal);
  }
}

type Outage = {
  begin(why: string): void;
  end(): void;
  /** The stream is there, and everything is known. */
  isLive(): boolean;
  /** Set once the service counts as away. */
  awayWhy(): string | undefined;
};

function createOutage(clock: Clock, awayAfterMs: number, onAway: (why: string) => void): Outage {
  let why: string | undefined;
  let isAway = false;
  let cancel: (() => void) | undefined;
  return {
    begin(reason) {
      why = reason;
      cancel ??= clock.after(awayAfterMs, () => {
        isAway = true;
        onAway(why ?? "");
      });
    },
    end() {
      cancel?.();
      cancel = undefined;
      isAway = false;
      why = undefined;
    },
    isLive: () => why === undefined,
    awayWhy: () => (isAway ? why : undefined),
  };
}

/** A lapse that was told before keeps its time; one that is told with a new stream begins with it. */
function put(entries: Entries, number: MessagesNumber, nowMs: number): void {
  const before = entries.get(number.phoneNumberId);
  const isSameTerm = before?.number.connection?.term === number.connection?.term;
  const sinceMs = isSameTerm ? (before?.lapsedSinceMs ?? nowMs) : nowMs;
  entries.set(number.phoneNumberId, {
    number,
    lapsedSinceMs: number.connection?.lapsed === true ? sinceMs : undefined,
  });
}
