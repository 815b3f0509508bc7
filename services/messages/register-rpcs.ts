// The RPCs about accounts and numbers, in the order of the contract.
import { ServiceError } from "#lib/errors.ts";
import type { Handlers } from "#lib/grpc.ts";
import { enqueue } from "#lib/outbox.ts";
import { isUniqueViolation, type Pool, transaction } from "#lib/postgres.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { isSameNumber, type PhoneNumber } from "./domain/number.ts";
import { numberEvent } from "./events.ts";
import { numberUnknown } from "./ledger-rpcs.ts";
import type { Entry, Register } from "./register.ts";
import { hasAccount, lockNumber, saveNumber, saveRemoval, upsertAccount } from "./store/register.ts";
import { parseAccount, parseNumber, parsePhoneNumberId } from "./wire.ts";
import { toNumber } from "./wire-out.ts";

export type RegisterDependencies = {
  db: Pool;
  register: Register;
  now: () => Date;
  /** The register changed: its news wait to be published. */
  onChange: () => void;
};

export function registerHandlers({ db, register, now, onChange }: RegisterDependencies) {
  async function known(phoneNumberId: string): Promise<Entry> {
    const entry = await register.find(phoneNumberId);
    if (entry === undefined) throw numberUnknown(phoneNumberId);
    return entry;
  }

  return {
    async applyAccount(request) {
      const account = parseAccount(request.account);
      await upsertAccount(db, account);
      return { account };
    },

    async applyNumber(request) {
      const number = parseNumber(request.number);
      await apply(db, number, now());
      onChange();
      await register.refresh();
      return { number: toNumber(await known(number.phoneNumberId)) };
    },

    async removeNumber(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      const at = now();
      await transaction(db, async (tx) => {
        const removed = await saveRemoval(tx, phoneNumberId, at);
        if (removed === undefined) return;
        const { number, generation: version } = removed;
        await enqueue(tx, "messages", [numberEvent({ ...number, verb: "removed", version, address: "", at })]);
      });
      onChange();
      await register.refresh();
      return {};
    },

    async getNumber(request) {
      return { number: toNumber(await known(parsePhoneNumberId(request.phoneNumberId))) };
    },

    async listNumbers(request) {
      await register.refresh();
      const { wabaId } = request;
      const numbers = register.all().filter(({ number }) => wabaId === "" || number.wabaId === wabaId);
      return { numbers: numbers.map(toNumber) };
    },

    async *watchNumbers(_request, { signal }) {
      using changes = watch(register, signal);
      // After the watch began, so that a change in between is told twice rather than never.
      await register.refresh();
      for (const entry of register.all()) yield { change: { case: "number", value: toNumber(entry) } } as const;
      yield { change: { case: "synced", value: true } } as const;
      for await (const entry of changes) {
        yield entry.isRemoved
          ? ({ change: { case: "removedPhoneNumberId", value: entry.number.phoneNumberId } } as const)
          : ({ change: { case: "number", value: toNumber(entry) } } as const);
      }
    },
  } satisfies Handlers<typeof MessagesService>;
}

async function apply(db: Pool, number: PhoneNumber, at: Date): Promise<void> {
  const { phoneNumberId, wabaId } = number;
  try {
    await transaction(db, async (tx) => {
      const [isAccount, before] = [await hasAccount(tx, wabaId), await lockNumber(tx, phoneNumberId)];
      if (!isAccount) throw new ServiceError("NOT_FOUND", "account_unknown", `account ${wabaId} is not declared`);
      if (before !== undefined && !before.isRemoved && isSameNumber(before.number, number)) return;
      const version = await saveNumber(tx, number);
      await enqueue(tx, "messages", [numberEvent({ ...number, verb: "applied", version, address: "", at })]);
    });
  } catch (error) {
    if (!isUniqueViolation(error, "numbers_display_phone_number")) throw error;
    throw new ServiceError(
      "ALREADY_EXISTS",
      "number_in_use",
      `the phone number of ${phoneNumberId} is declared under another id`,
      { cause: error },
    );
  }
}

/** The latest of each number that changed, until the signal aborts. Slow readers skip what was overtaken. */
function watch(register: Register, signal: AbortSignal): AsyncIterable<Entry> & Disposable {
  const pending = new Map<string, Entry>();
  let wake = (): void => undefined;
  const unsubscribe = register.subscribe((entry) => {
    pending.set(entry.number.phoneNumberId, entry);
    wake();
  });
  const stop = (): void => wake();
  signal.addEventListener("abort", stop, { once: true });
  return {
    async *[Symbol.asyncIterator]() {
      while (!signal.aborted) {
        const entries = [...pending.values()];
        pending.clear();
        yield* entries;
        if (pending.size > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.dispose]() {
      unsubscribe();
      signal.removeEventListener("abort", stop);
    },
  };
}
