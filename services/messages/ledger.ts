// The coalescing writer: one queue of everything that changes ledger rows, over all numbers, and one commit at a time.
// A commit that fails goes again item by item, so that a bad item harms only itself.
import { ServiceError } from "#lib/errors.ts";
import type { Log } from "#lib/log.ts";
import { type Connection, isUniqueViolation, type Pool } from "#lib/postgres.ts";
import { commitBatch, type Committed } from "./commit.ts";
import type {
  Answer,
  BatchRefusal,
  BeginItem,
  CancelItem,
  FinishItem,
  IngestItem,
  Item,
  SendItem,
  SweepItem,
} from "./domain/batch.ts";
import { createLedgerQueue, type Entry } from "./ledger-queue.ts";
import type { Register } from "./register.ts";

/** Each resolves once its item is committed. Rejects with UNAVAILABLE if Postgres is away: then nothing is known. */
export type Ledger = AsyncDisposable & {
  /** Rejects with ALREADY_EXISTS idempotency_conflict. */
  send(item: SendItem): Promise<Accepted>;
  /** The ids of the messages that may go over the wire. Rejects with FAILED_PRECONDITION fenced. */
  begin(item: BeginItem): Promise<string[]>;
  finish(item: FinishItem): Promise<void>;
  ingest(item: IngestItem): Promise<void>;
  sweep(item: SweepItem): Promise<void>;
  /** The ids of those that will not be sent any more by this call. */
  cancel(item: CancelItem): Promise<string[]>;
  /** Items that wait for a commit. */
  depth(): number;
};

export type Accepted = Extract<Answer, { kind: "accepted" }>;

type Dependencies = {
  /** Its connections send queries without waiting for the answers to those before. One is used. */
  pool: Pool;
  register: Pick<Register, "placeOf" | "policyOf" | "isPassThrough">;
  now: () => Date;
  log: Log;
  /** Called after each commit, before its callers are answered. */
  onCommit: (committed: Committed, timing: { items: number; durationMs: number }) => void;
  onFailure: (why: "unavailable" | "fault") => void;
};

const maxAttempts = 3;

export function startLedger({ pool, register, now, log, onCommit, onFailure }: Dependencies): Ledger {
  const queue = createLedgerQueue();
  const writer = createWriter({ pool, register, now });

  async function commit(entries: readonly Entry[], attempt = 1): Promise<void> {
    const mayBeStale = writer.isConnected();
    const startedAt = performance.now();
    let committed: Committed;
    try {
      committed = await writer.commit(entries.map(({ item }) => item));
    } catch (error) {
      const isUnavailable = error instanceof ServiceError && error.code === "UNAVAILABLE";
      onFailure(isUnavailable ? "unavailable" : "fault");
      // Every item bears repeating, so a connection that died while it was idle costs its callers nothing.
      if (isUnavailable && mayBeStale) return commit(entries, attempt);
      const mayRepeat = entries.length > 1 || (isCollision(error) && attempt < maxAttempts);
      if (isUnavailable || !mayRepeat) {
        for (const { fail } of entries) fail(toFault(error));
        return;
      }
      log.info({ err: error, items: entries.length }, "commit failed, its items go one by one");
      for (const entry of entries) await commit([entry], entries.length > 1 ? 1 : attempt + 1);
      return;
    }
    onCommit(committed, { items: entries.length, durationMs: performance.now() - startedAt });
    for (const [index, { settle, fail }] of entries.entries()) {
      const answer = committed.answers[index];
      if (answer === undefined) fail(new Error("a commit answers each of its items"));
      else settle(answer);
    }
  }

  async function pump(): Promise<void> {
    for (let isBusy = false; ;) {
      const entries = await queue.take(isBusy);
      if (entries.length === 0) return writer.close();
      await commit(entries);
      isBusy = entries.length > 1;
    }
  }

  const pumped = pump();
  return {
    send: async (item) => expectKind(await queue.put(item), "accepted"),
    begin: async (item) => expectKind(await queue.put(item), "begun").messageIds,
    finish: async (item) => void expectKind(await queue.put(item), "done"),
    ingest: async (item) => void expectKind(await queue.put(item), "done"),
    sweep: async (item) => void expectKind(await queue.put(item), "done"),
    cancel: async (item) => expectKind(await queue.put(item), "cancelled").messageIds,
    depth: queue.depth,
    async [Symbol.asyncDispose]() {
      queue.close();
      await pumped;
    },
  };
}

/** Keeps one connection from commit to commit. */
function createWriter({ pool, register, now }: Pick<Dependencies, "pool" | "register" | "now">) {
  let connection: Connection | undefined;
  return {
    isConnected: () => connection !== undefined,
    async commit(items: readonly Item[]): Promise<Committed> {
      const tx = (connection ??= await pool.connect());
      try {
        return await commitBatch(items, { tx, register, now: now() });
      } catch (error) {
        tx.release(true);
        connection = undefined;
        throw error;
      }
    },
    close(): void {
      connection?.release();
      connection = undefined;
    },
  };
}

/** Two copies of the service met at the same row: the second try finds what the other one wrote. */
function isCollision(error: unknown): boolean {
  return isUniqueViolation(error) || hasState(error, deadlockDetected);
}

const deadlockDetected = "40P01";
const lockNotAvailable = "55P03";

function hasState(error: unknown, state: string): boolean {
  return error instanceof Error && "code" in error && error.code === state;
}

function toFault(error: unknown): unknown {
  if (!hasState(error, lockNotAvailable)) return error;
  return new ServiceError("UNAVAILABLE", "rows_locked", "rows are held by a commit that does not end", {
    cause: error,
  });
}

function expectKind<Kind extends Answer["kind"]>(answer: Answer, kind: Kind): Extract<Answer, { kind: Kind }> {
  if (isKind(answer, kind)) return answer;
  if (answer.kind === "refused") throw faultOf(answer.reason);
  throw new Error(`expected an answer ${kind}, got ${answer.kind}`);
}

function isKind<Kind extends Answer["kind"]>(answer: Answer, kind: Kind): answer is Extract<Answer, { kind: Kind }> {
  return answer.kind === kind;
}

function faultOf(reason: BatchRefusal): ServiceError {
  switch (reason) {
    case "fenced":
      return new ServiceError("FAILED_PRECONDITION", "fenced", "the term is not the lease's any more");
    case "idempotency_conflict":
      return new ServiceError(
        "ALREADY_EXISTS",
        "idempotency_conflict",
        "the idempotency key was used with another body",
      );
    case "message_id_in_use":
      return new ServiceError(
        "INVALID_ARGUMENT",
        "message_id_in_use",
        "message_id belongs to a message of another number",
      );
  }
}
