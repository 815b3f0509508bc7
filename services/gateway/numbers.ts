// The numbers that exist, and where each is connected: a copy in memory, kept by the messages service's stream.
// While the stream is away the copy serves what it has, but no longer says that a number does not exist.
import type { Client } from "#lib/grpc.ts";
import { loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { MessagesService, Number as PhoneNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { cloudFault } from "./errors.ts";

export type Numbers = AsyncDisposable & {
  /** Throws number_unknown; service_unavailable when that cannot be known now, after a short wait. */
  get(phoneNumberId: string): Promise<PhoneNumber>;
  /** False once the copy has not been kept for 5 s: the server ends streams now and then, and a new one needs a moment. */
  isFollowing(): boolean;
};

const patienceMs = 1_500;
const reconnectMs = 300;
const toleratedMs = 5_000;

type Options = { messages: Pick<Client<typeof MessagesService>, "watchNumbers">; log: Log };

export function followNumbers({ messages, log }: Options): Numbers {
  let known: ReadonlyMap<string, PhoneNumber> = new Map();
  let following = false;
  let lostAt = Number.NEGATIVE_INFINITY;
  let tries = 0;
  let told = Promise.withResolvers<void>();

  function setFollowing(value: boolean, why?: unknown): void {
    if (following === value) return;
    following = value;
    if (value) {
      log.info({ numbers: known.size }, "numbers are known");
      told.resolve();
    } else {
      lostAt = performance.now();
      if (why === undefined) log.info("the stream of numbers ended, asking again");
      else log.warn({ err: why }, "the stream of numbers ended, asking again");
      told = Promise.withResolvers<void>();
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    tries += 1;
    const fresh = new Map<string, PhoneNumber>();
    try {
      for await (const { change } of messages.watchNumbers({}, { signal })) {
        if (change.case === "number") fresh.set(change.value.phoneNumberId, change.value);
        if (change.case === "removedPhoneNumberId") fresh.delete(change.value);
        if (change.case === "synced") {
          known = fresh;
          setFollowing(true);
        }
      }
      setFollowing(false);
    } catch (error) {
      if (signal.aborted) return;
      if (tries === 1 && !following) log.warn({ err: error }, "numbers are not known yet, asking again");
      setFollowing(false, error);
    }
  }

  const keeping = loop({ name: "numbers", intervalMs: reconnectMs, jitter: 0.5, log, task: follow });
  return {
    async get(phoneNumberId) {
      const number = known.get(phoneNumberId);
      if (number !== undefined) return number;
      await withTimeout(told.promise);
      const found = known.get(phoneNumberId);
      if (found !== undefined) return found;
      if (following) throw cloudFault("number_unknown", `object with id ${phoneNumberId} does not exist`);
      throw cloudFault("service_unavailable", "the register of numbers cannot be reached at the moment");
    },
    isFollowing: () => following || performance.now() - lostAt < toleratedMs,
    [Symbol.asyncDispose]: () => keeping[Symbol.asyncDispose](),
  };
}

function withTimeout(promise: Promise<void>): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, patienceMs);
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
