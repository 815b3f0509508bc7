// Reads everything that is known of a business account: mostly from caches; WhatsApp itself only when it is due.
import { ServiceError } from "#lib/errors.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { Stored } from "../kinds.ts";
import type { Register } from "../number/register.ts";
import { annotations } from "../names.ts";
import { findOlder } from "../older.ts";
import { applyAccount } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Work } from "../runtime/controller.ts";
import { keyOf } from "../runtime/objects.ts";
import type { SecretFacts, Secrets } from "../secrets.ts";
import type { Services } from "../services.ts";
import { afterFailure, waitMs } from "../trial.ts";
import type { Watches } from "../watches.ts";
import type { AccountFacts, CredentialKey, Upstream } from "./facts.ts";
import { latelyMs, nextReadMs } from "./freshness.ts";
import type { AccountMemory, Memories } from "./memory.ts";
import { isPaused } from "./plan.ts";
import { type Holder, readUpstream } from "./upstream.ts";

export type Observed = { facts: AccountFacts; memory: AccountMemory };

export type ObserverOptions = {
  watches: Pick<Watches, "accounts" | "numbers">;
  secrets: Pick<Secrets, "look">;
  register: Pick<Register, "get">;
  services: Pick<Services, "upstream">;
  memories: Memories;
  clock: Clock;
};

type Account = Stored<WhatsAppBusinessAccount>;

/** Undefined: there is no such account. */
export function accountObserver(options: ObserverOptions): (work: Work) => Promise<Observed | undefined> {
  const { watches, memories, clock } = options;
  return async ({ key, signal }) => {
    const account = watches.accounts.store.get(key);
    if (account === undefined) return undefined;
    const memory = memories.of(key);
    followAnnotation(memory, account, clock.monotonicMs());
    const credentials = await lookAtCredentials(options, account);
    const fingerprint = hashOf([account.spec, credentials]);
    noteChange(memory, fingerprint, clock.monotonicMs());
    const twin = findOlder(account, watches.accounts.store.lookup("wabaId", account.spec.wabaId));
    const isLeftAlone = twin !== undefined || isPaused({ account });
    if (!isLeftAlone) await readIfDue(options, { account, memory, fingerprint, signal });
    // From here on nothing is awaited: the rest is of one moment.
    const nowMs = clock.monotonicMs();
    const facts: AccountFacts = {
      account,
      twin,
      credentials,
      isDeclared: memory.declaredHash === hashOf(applyAccount(account)),
      declaring: memory.declaring,
      subscribing: memory.subscribing,
      upstream: upstreamOf(options, { account, memory, fingerprint, nowMs }),
      nextReadMs: isLeftAlone ? undefined : untilRead(options, { account, memory, fingerprint, nowMs }),
      declaredIds: declaredIdsOf(options, account, memory),
      nowMs,
      now: new Date(clock.wallMs()),
    };
    return { facts, memory };
  };
}

async function lookAtCredentials(
  { secrets }: ObserverOptions,
  { metadata, spec }: Account,
): Promise<Record<CredentialKey, SecretFacts>> {
  const secret = `${metadata.namespace ?? ""}/${spec.credentialsRef.name}`;
  const [accessToken, appSecret, verifyToken] = await Promise.all([
    secrets.look(secret, "accessToken"),
    secrets.look(secret, "appSecret"),
    secrets.look(secret, "verifyToken"),
  ]);
  return { accessToken, appSecret, verifyToken };
}

/** What was seen first is no change. */
function noteChange(memory: AccountMemory, fingerprint: string, nowMs: number): void {
  if (memory.fingerprint !== undefined && memory.fingerprint !== fingerprint) memory.changedAtMs = nowMs;
  memory.fingerprint = fingerprint;
}

/** What a person asks to be looked at again is asked of WhatsApp anew, and what was refused is tried again. */
function followAnnotation(memory: AccountMemory, { metadata }: Account, nowMs: number): void {
  const reconcileAt = metadata.annotations?.[annotations.reconcileAt];
  if (memory.reconcileAt === reconcileAt) return;
  Object.assign(memory, {
    reconcileAt,
    newsAtMs: nowMs,
    declaring: undefined,
    subscribing: undefined,
    failing: undefined,
  });
}

type Look = { account: Account; memory: AccountMemory; fingerprint: string };

async function readIfDue(options: ObserverOptions, look: Look & { signal: AbortSignal }): Promise<void> {
  const { account, memory, fingerprint, signal } = look;
  const nowMs = options.clock.monotonicMs();
  const holders = holdersOf(options, account);
  if (holders.length === 0 || untilRead(options, { ...look, nowMs }) !== 0) return;
  memory.readTimes = [...memory.readTimes.filter((atMs) => nowMs - atMs < latelyMs), nowMs];
  try {
    memory.reading = { ...(await readUpstream(options.services, holders, signal)), fingerprint, atMs: nowMs };
    memory.failing = undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    const { reason, message } = ServiceError.from(error);
    const lack = new ServiceError("UNAVAILABLE", reason, message, { cause: error });
    memory.failing = afterFailure(lack, fingerprint, memory.failing, nowMs);
  }
}

/** Undefined: not before a number connects. */
function untilRead(
  options: ObserverOptions,
  { account, memory, fingerprint, nowMs }: Look & { nowMs: number },
): number | undefined {
  if (holdersOf(options, account).length === 0) return undefined;
  const { reading, readTimes, changedAtMs, newsAtMs, failing } = memory;
  const readsLately = readTimes.filter((atMs) => nowMs - atMs < latelyMs).length;
  const readAtMs = reading?.fingerprint === fingerprint ? reading.atMs : undefined;
  return Math.max(
    nextReadMs({ readAtMs, changedAtMs, newsAtMs, readsLately, nowMs }),
    waitMs(failing, fingerprint, nowMs),
  );
}

/** What is as old as that is not known any more: WhatsApp is asked three times as often. */
const staleMs = 1_500_000;

function upstreamOf(
  options: ObserverOptions,
  { account, memory, fingerprint, nowMs }: Look & { nowMs: number },
): Upstream {
  const { reading, failing } = memory;
  const holders = holdersOf(options, account);
  if (reading?.fingerprint === fingerprint && nowMs - reading.atMs < staleMs) {
    const isThere = holders.some(({ address }) => address === reading.address);
    return { kind: "known", value: reading.facts, address: isThere ? reading.address : holders[0]?.address };
  }
  const wanted = numbersOf(options, account).filter(
    ({ metadata, spec }) => spec.desiredState === "Connected" && metadata.deletionTimestamp === undefined,
  );
  if (wanted.length === 0 && holders.length === 0) return { kind: "unasked", why: "NoNumbers" };
  const away = wanted.map(({ spec }) => options.register.get(spec.phoneNumberId)).find(({ kind }) => kind === "away");
  if (away?.kind === "away") return { kind: "away", service: "messages", why: away.why };
  if (holders.length > 0 && failing !== undefined) return { kind: "away", service: "WhatsApp", why: failing.why };
  return { kind: "unasked", why: "NotConnected" };
}

function numbersOf({ watches }: ObserverOptions, { metadata }: Account) {
  return watches.numbers.store.lookup("account", keyOf(metadata));
}

/** A number that another resource has too may be another's. */
function holdersOf(options: ObserverOptions, account: Account): Holder[] {
  const { lookup } = options.watches.numbers.store;
  return numbersOf(options, account).flatMap((number) => {
    const { phoneNumberId, credentialsRef } = number.spec;
    const answer = options.register.get(phoneNumberId);
    const known = answer.kind === "known" ? answer.value?.number : undefined;
    if (known?.connection?.connected !== true || known.wabaId !== account.spec.wabaId) return [];
    if (findOlder(number, lookup("phoneNumberId", phoneNumberId)) !== undefined) return [];
    return [{ address: known.connection.address, isForeign: credentialsRef !== undefined }];
  });
}

/** Of those that WhatsApp listed, or that the status shows still. */
function declaredIdsOf(
  { watches }: ObserverOptions,
  { metadata, status }: Account,
  { reading }: AccountMemory,
): ReadonlySet<string> {
  const listed = reading?.facts.numbers.kind === "told" ? reading.facts.numbers.value : [];
  const ids = [...listed, ...(status?.undeclaredNumbers ?? [])].map(({ phoneNumberId }) => phoneNumberId);
  const isDeclared = (id: string): boolean =>
    watches.numbers.store
      .lookup("phoneNumberId", id)
      .some((number) => number.metadata.namespace === metadata.namespace);
  return new Set(ids.filter(isDeclared));
}
