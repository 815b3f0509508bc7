// The register of numbers in memory, so that no message asks Postgres for it. Other copies' changes come by NATS within
// milliseconds, and by a look each 2 s where that is lost.
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type NatsConnection, subscribeCore } from "#lib/nats.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { Policy } from "./domain/progress.ts";
import type { Place } from "./events.ts";
import { type ConnectionRecord, loadChanges, type NumberRecord } from "./store/register.ts";

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
  /** Resolves when every change is known that was committed before the call. */
  refresh(): Promise<void>;
  /** Calls `listener` with each entry that changed, removed ones too. Returns what ends it. */
  subscribe(listener: (entry: Entry) => void): () => void;
};

type Dependencies = { db: Queryable; nc: NatsConnection; finishTimeoutMs: number; log: Log };

const lookEveryMs = 2_000;
/** Of a number that is not declared any more. */
const lastPolicy = { unknownPolicy: "fail", unknownTimeoutSeconds: 600 } as const;

/** Resolves when the register is loaded. */
export async function startRegister({ db, nc, finishTimeoutMs, log }: Dependencies): Promise<Register> {
  const numbers = new Map<string, NumberRecord>();
  const connections = new Map<string, ConnectionRecord>();
  const listeners = new Set<(entry: Entry) => void>();
  let horizon = "0";

  function entryOf(record: NumberRecord): Entry {
    return { ...record, connection: connections.get(record.number.phoneNumberId) };
  }

  async function look(): Promise<void> {
    const changes = await loadChanges(db, horizon);
    const changed = new Set<string>();
    for (const record of changes.numbers) {
      const { phoneNumberId } = record.number;
      if (numbers.get(phoneNumberId)?.generation === record.generation) continue;
      numbers.set(phoneNumberId, record);
      changed.add(phoneNumberId);
    }
    for (const connection of changes.connections) {
      if (isSameConnection(connections.get(connection.phoneNumberId), connection)) continue;
      connections.set(connection.phoneNumberId, connection);
      changed.add(connection.phoneNumberId);
    }
    horizon = changes.horizon;
    for (const phoneNumberId of changed) {
      const record = numbers.get(phoneNumberId);
      if (record !== undefined) for (const listener of listeners) listener(entryOf(record));
    }
  }

  const refresh = oneAtATime(look);
  await refresh();
  const looking = loop({ name: "register", intervalMs: lookEveryMs, jitter: 0.2, log, task: refresh });
  const hearing = subscribeCore(nc, "wa.number.*.*", () => looking.wake());

  function get(phoneNumberId: string): Entry | undefined {
    const record = numbers.get(phoneNumberId);
    return record === undefined || record.isRemoved ? undefined : entryOf(record);
  }
  return {
    get,
    refresh,
    async find(phoneNumberId) {
      if (get(phoneNumberId) === undefined) await refresh();
      return get(phoneNumberId);
    },
    all: () => [...numbers.values()].filter(({ isRemoved }) => !isRemoved).map(entryOf),
    placeOf(phoneNumberId) {
      const number = numbers.get(phoneNumberId)?.number;
      return { wabaId: number?.wabaId ?? "", displayPhoneNumber: number?.displayPhoneNumber ?? "" };
    },
    policyOf(phoneNumberId) {
      const { unknownPolicy, unknownTimeoutSeconds } = numbers.get(phoneNumberId)?.number.spec ?? lastPolicy;
      return { unknownPolicy, unknownTimeoutMs: unknownTimeoutSeconds * 1_000, finishTimeoutMs };
    },
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

function isSameConnection(a: ConnectionRecord | undefined, b: ConnectionRecord): boolean {
  return a !== undefined && a.term === b.term && a.connected === b.connected;
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
