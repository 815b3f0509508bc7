// Who may call the API: bearer tokens, found in Postgres by their SHA-256, and the token file that fills them.
// A hash is looked up, never compared, so the time of an answer tells nothing of a token.
import { createHash } from "node:crypto";
import { readSecretFile } from "#lib/config.ts";
import { ServiceError } from "#lib/errors.ts";
import { type Loop, loop, sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import { loadTokenName, replaceFileTokens } from "./store.ts";

type Options = { db: Queryable; now: () => Date };

export type Tokens = {
  /** Whether the token is valid, by what Postgres said at most 10 s ago. Throws UNAVAILABLE if it cannot be asked, or is silent. */
  isValid(token: string): Promise<boolean>;
};

const cachedMs = 10_000;
// A Postgres that stands still keeps no time of its own.
const answerMs = 2_000;
/** Wrong tokens are cached too; the oldest go first. */
const cachedTokens = 10_000;

type Cached = { isValid: Promise<boolean>; askedAt: number };

type TokensOptions = Options & {
  /** The time that passed, by no wall clock: one that is set back would keep a revoked token alive. */
  monotonicMs?: () => number;
};

export function createTokens({ db, now, monotonicMs = () => performance.now() }: TokensOptions): Tokens {
  const cache = new Map<string, Cached>();
  return {
    isValid(token) {
      const hash = hashOf(token);
      const key = hash.toString("base64");
      const time = monotonicMs();
      const cached = cache.get(key);
      if (cached !== undefined && time - cached.askedAt < cachedMs) return cached.isValid;
      const isValid = inTime(loadTokenName(db, hash, now())).then((name) => name !== undefined);
      isValid.catch(() => cache.delete(key));
      cache.delete(key);
      cache.set(key, { isValid, askedAt: time });
      const [oldest] = cache.keys();
      if (cache.size > cachedTokens && oldest !== undefined) cache.delete(oldest);
      return isValid;
    },
  };
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const answered = new AbortController();
  const late = sleep(answerMs, answered.signal).then(() => {
    throw new ServiceError(
      "UNAVAILABLE",
      "database_unavailable",
      "database did not say in time whether the token is valid",
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    late.catch(() => undefined);
    answered.abort();
  }
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

const rereadMs = 5_000;

/** Writes the file's tokens to Postgres now, and again whenever the file changes. Throws if it cannot be read at first. */
export async function followTokenFile({ db, now, path, log }: Options & { path: string; log: Log }): Promise<Loop> {
  let written = "";
  async function write(): Promise<void> {
    const content = readSecretFile(path);
    if (content === written) return;
    const lines = content.split("\n").map((line) => line.trim());
    const hashes = lines.filter((line) => line !== "").map(hashOf);
    await replaceFileTokens(db, hashes, now());
    written = content;
    log.info({ tokens: hashes.length }, "token file taken over");
  }
  await write();
  return loop({ name: "token file", intervalMs: rereadMs, log, task: write });
}
