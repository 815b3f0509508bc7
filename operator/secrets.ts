// Secrets are read by name and only where a resource refers to one: a watch of all of them would be the juiciest cache of the
// cluster. What is kept of a value is its hash; a change is noticed within half a minute.
import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { loop } from "#lib/lifecycle.ts";
import { secrets as secretResource } from "./kinds.ts";
import { hasStatus } from "./runtime/api-error.ts";
import type { Client } from "./runtime/client.ts";
import type { Clock } from "./runtime/clock.ts";
import { isRecord, type Key, type KubeObject } from "./runtime/objects.ts";

/** `hash` is of the value without surrounding white space. */
export type SecretFacts = { kind: "present"; hash: string } | { kind: "missing"; why: string };

export type Secrets = AsyncDisposable & {
  /** As of half a minute ago at most. */
  look(secret: Key, field: string): Promise<SecretFacts>;
  /** The value as it is now, for the moment of its use; undefined if there is none. */
  read(secret: Key, field: string): Promise<string | undefined>;
  /** Looks after the secrets that `referenced` names; `onChange` gets each that has changed, appeared or gone. */
  follow(followed: { referenced: () => Iterable<Key>; onChange: (secret: Key) => void }): void;
};

type Known = { readAtMs: number; hashes: ReadonlyMap<string, string> | undefined; why: string };

const missingEveryMs = 4_000;

type SecretsOptions = {
  client: Client;
  clock: Clock;
  log: Logger;
  /** So old what is known of a secret may be; one that is missing is looked for more often. */
  everyMs: number;
};

export function openSecrets({ client, clock, log, everyMs }: SecretsOptions): Secrets {
  const known = new Map<Key, Known>();
  const reading = new Map<Key, Promise<Known>>();
  const followers: { referenced: () => Iterable<Key>; onChange: (secret: Key) => void }[] = [];

  async function readNow(secret: Key): Promise<Known> {
    const values = await valuesOf(client, secret);
    const hashes = typeof values === "string" ? undefined : new Map(Array.from(values, toHash));
    const why = typeof values === "string" ? values : "";
    const now = { readAtMs: clock.monotonicMs(), hashes, why };
    const before = known.get(secret);
    known.set(secret, now);
    if (before !== undefined && !isSame(before.hashes, hashes)) for (const { onChange } of followers) onChange(secret);
    return now;
  }

  /** One request at a time for each. */
  function load(secret: Key): Promise<Known> {
    const running =
      reading.get(secret) ??
      readNow(secret).finally(() => {
        reading.delete(secret);
      });
    reading.set(secret, running);
    return running;
  }

  function isFresh({ readAtMs, hashes }: Known): boolean {
    return clock.monotonicMs() - readAtMs < (hashes === undefined ? Math.min(everyMs, missingEveryMs) : everyMs);
  }

  const looking = loop({
    name: "secrets",
    intervalMs: everyMs / 4,
    jitter: 0.1,
    log,
    async task(signal) {
      const referenced = new Set(followers.flatMap((follower) => [...follower.referenced()]));
      for (const secret of known.keys()) if (!referenced.has(secret)) known.delete(secret);
      for (const secret of referenced) {
        const last = known.get(secret);
        if (signal.aborted) return;
        if (last !== undefined && !isFresh(last)) await load(secret);
      }
    },
  });

  return {
    async look(secret, field) {
      const last = known.get(secret);
      const { hashes, why } = last !== undefined && isFresh(last) ? last : await load(secret);
      if (hashes === undefined) return { kind: "missing", why };
      const hash = hashes.get(field);
      return hash === undefined
        ? { kind: "missing", why: `secret ${secret} has no key ${field}, or it is empty` }
        : { kind: "present", hash };
    },
    async read(secret, field) {
      const values = await valuesOf(client, secret);
      return typeof values === "string" ? undefined : values.get(field);
    },
    follow: (followed) => void followers.push(followed),
    [Symbol.asyncDispose]: () => looking[Symbol.asyncDispose](),
  };
}

/** Or why there are none; empty values are left out. What is there and may not be read is as good as missing. */
async function valuesOf(client: Client, secret: Key): Promise<Map<string, string> | string> {
  let object: KubeObject | undefined;
  try {
    object = await client.get(secretResource, secret);
  } catch (error) {
    if (hasStatus(error, 403)) return `the operator may not read secret ${secret}`;
    throw error;
  }
  if (object === undefined) return `secret ${secret} does not exist`;
  const data = isRecord(object["data"]) ? object["data"] : {};
  const values = Object.entries(data).flatMap(([field, value]): [string, string][] => {
    const text = typeof value === "string" ? Buffer.from(value, "base64").toString("utf8").trim() : "";
    return text === "" ? [] : [[field, text]];
  });
  return new Map(values);
}

function toHash([field, value]: [string, string]): [string, string] {
  return [field, hashOf(value)];
}

function hashOf(value: string): string {
  return createHash("sha256").update(value).digest("hex").slice(0, 16);
}

function isSame(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && Array.from(a).every(([field, hash]) => b.get(field) === hash);
}
