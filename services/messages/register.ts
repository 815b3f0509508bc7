// The register of numbers in memory, so that no message asks Postgres for it. Other copies' changes come by NATS within
// milliseconds, and by a look each 2 s where that is lost.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type NatsConnection, subscribeCore } from "#lib/nats.ts";
import type { Queryable } from "#lib/postgres.ts";
import { isSameStanding } from "./domain/lease.ts";
import type { Policy } from "./domain/progress.ts";
import type { Place } from "./events.ts";
import { type Changes, type ConnectionRecord, loadChanges, type NumberRecord } from "./store/register.ts";

export type Entry = NumberRecord & { connection: ConnectionRecord | undefined };

export type Register = AsyncDisposable & {
  /** The number as it is declared, undefined if none is. */
  get(phoneNumberId: string): Entry | undefined;
  /** Also asks Postgres before it says that there is none. */
  find(phoneNumberId: string): Promise<Entry | undefined>;
  /** All declared numbers. */
  all(): Entry[];
  placeOf(phoneNumberId: string): Place;
  policyOf(phoneNumberId: string): Policy;
  isPassThrough(phoneNumberId: string): boolean;
  /** Resolves when every change is known that was committed before the call. */
  refresh(): Promise<void>;
  /** Calls `listener` with each entry that changed, removed ones too. Returns what ends it. */
  subscribe(listener: (entry: Entry) => void): () => void;
};

type Dependencies = { db: Queryable; nc: NatsConnection; finishTimeoutMs: number; log: Log };

const lookEveryMs = 2_000;
/** Of a number that is not declared any more. */
const undeclared = { unknownPolicy: "fail", unknownTimeoutSeconds: 600 } as const;

/** Resolves when the register is loaded. */
export async function startRegister({ db, nc, finishTimeoutMs, log }: Dependencies): Promise<Register> {
  const known: Known = { numbers: new Map(), connections: new Map() };
  const listeners = new Set<(entry: Entry) => void>();
  let horizon = "0";

  const refresh = oneAtATime(async () => {
    const changes = await loadChanges(db, horizon);
    ({ horizon } = changes);
    for (const entry of learn(known, changes)) for (const listener of listeners) listener(entry);
  });
  await refresh();
  const looking = loop({ name: "register", intervalMs: lookEveryMs, jitter: 0.2, log, task: refresh });
  const hearing = subscribeCore(nc, "wa.number.*.*", () => looking.wake());

  const get = (phoneNumberId: string): Entry | undefined => {
    const record = known.numbers.get(phoneNumberId);
    return record === undefined || record.isRemoved ? undefined : entryOf(known, record);
  };
  return {
    get,
    refresh,
    async find(phoneNumberId) {
      if (get(phoneNumberId) === undefined) await refresh();
      return get(phoneNumberId);
    },
    all: () => [...known.numbers.values()].flatMap((record) => (record.isRemoved ? [] : entryOf(known, record))),
    placeOf(phoneNumberId) {
      const number = known.numbers.get(phoneNumberId)?.number;
      return { wabaId: number?.wabaId ?? "", displayPhoneNumber: number?.displayPhoneNumber ?? "" };
    },
    policyOf(phoneNumberId) {
      const { unknownPolicy, unknownTimeoutSeconds } = known.numbers.get(phoneNumberId)?.number.spec ?? undeclared;
      return { unknownPolicy, unknownTimeoutMs: unknownTimeoutSeconds * 1_000, finishTimeoutMs };
    },
    isPassThrough: (phoneNumberId) => known.numbers.get(phoneNumberId)?.number.spec.contentPolicy === "pass_through",
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      await hearing[Symbol.asyncDispose]();
      await looking[Symbol.asyncDispose]();
    },
  };
}

type Known = { numbers: Map<string, NumberRecord>; connections: Map<string, ConnectionRecord> };

function entryOf({ connections }: Known, record: NumberRecord): Entry {
  return { ...record, connection: connections.get(record.number.phoneNumberId) };
}

/** Takes up what is new; answers with the numbers of which something is. */
function learn(known: Known, { numbers, connections }: Changes): Entry[] {
  const changed = new Set<string>();
  for (const record of numbers) {
    const { phoneNumberId } = record.number;
    if (known.numbers.get(phoneNumberId)?.generation === record.generation) continue;
    known.numbers.set(phoneNumberId, record);
    changed.add(phoneNumberId);
  }
  for (const connection of connections) {
    if (isSameConnection(known.connections.get(connection.phoneNumberId), connection)) continue;
    known.connections.set(connection.phoneNumberId, connection);
    changed.add(connection.phoneNumberId);
  }
  return [...changed].flatMap((phoneNumberId) => {
    const record = known.numbers.get(phoneNumberId);
    return record === undefined ? [] : entryOf(known, record);
  });
}

function isSameConnection(a: ConnectionRecord | undefined, b: ConnectionRecord): boolean {
  if (a === undefined || a.term !== b.term || a.connected !== b.connected || a.lapsed !== b.lapsed) return false;
  return a.registeredSeenAt?.getTime() === b.registeredSeenAt?.getTime() && isSameStanding(a, b);
}

/** Calls that come during a run share the run after it, which sees all that was there when they came. */
function oneAtATime(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  const start = (): Promise<void> => {
    const run = task().finally(() => {
      running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (running === undefined) return start();
    following ??= running
      .catch(() => undefined)
      .then(() => {
        following = undefined;
        return start();
      });
    return following;
  };
}
