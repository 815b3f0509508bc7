// What is said to the services and, through the number's own process, to WhatsApp. Refusals are remembered for the conditions;
// a service that does not answer is a failure, and tried again.
import { ServiceError } from "#lib/errors.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { applyAccount, applyNumber } from "../registration.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Secrets } from "../secrets.ts";
import type { Services } from "../services.ts";
import type { Observed } from "./observe.ts";

export type UpstreamActions = {
  /** Whether the services took it. */
  applyNumber(observed: Observed, signal: AbortSignal): Promise<boolean>;
  removeNumber(observed: Observed, signal: AbortSignal): Promise<void>;
  revoke(observed: Observed, lease: { term: bigint; proof: string }, signal: AbortSignal): Promise<void>;
  /** Whether WhatsApp took it. */
  register(observed: Observed, at: { address: string; pinHash: string }, signal: AbortSignal): Promise<boolean>;
  /** Whether WhatsApp took it, and the finalizer may go. */
  deregister(observed: Observed, at: { address: string }, signal: AbortSignal): Promise<boolean>;
};

type Dependencies = {
  services: Pick<Services, "messages" | "upstream">;
  secrets: Pick<Secrets, "read">;
  clock: Clock;
};

const hourMs = 3_600_000;
/** When a refused registration may be tried again with the same PIN; WhatsApp counts tries. */
const registrationRetryMs: Record<string, number> = {
  pin_wrong: 365 * 24 * hourMs,
  pin_invalid: 365 * 24 * hourMs,
  number_unverified: hourMs,
  registration_limit: 12 * hourMs,
};
const otherRetryMs = 60_000;

export function upstreamActions({ services, secrets, clock }: Dependencies): UpstreamActions {
  const { messages } = services;
  return {
    async applyNumber({ facts, memory }, signal) {
      const { number, account } = facts;
      if (account === undefined) return false;
      try {
        await tell(messages, number, account, signal);
        memory.refusals.apply = undefined;
        return true;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        memory.refusals.apply = { reason: error.reason, message: error.message };
        return false;
      }
    },
    async removeNumber({ facts }, signal) {
      await messages.removeNumber({ phoneNumberId: facts.number.spec.phoneNumberId }, { signal });
    },
    async revoke({ facts }, { term, proof }, signal) {
      await messages.revoke({ phoneNumberId: facts.number.spec.phoneNumberId, term, proof }, { signal });
    },
    async register({ facts, memory }, { address, pinHash }, signal) {
      const { namespace = "" } = facts.number.metadata;
      const { pinRef } = facts.number.spec.registration ?? {};
      const pin = pinRef && (await secrets.read(`${namespace}/${pinRef.name}`, pinRef.key));
      if (pin === undefined) return false;
      try {
        await services.upstream(address, (upstream) => upstream.register({ pin }, { signal }));
        memory.refusals.registration = undefined;
        memory.registration = { pinHash, retryAt: new Date(clock.wallMs() + otherRetryMs) };
        return true;
      } catch (error) {
        const { reason, message } = ServiceError.from(error);
        const retryAt = new Date(clock.wallMs() + (registrationRetryMs[reason] ?? otherRetryMs));
        memory.refusals.registration = { reason, message, pinHash, retryAt };
        return false;
      }
    },
    async deregister({ memory }, { address }, signal) {
      try {
        await services.upstream(address, (upstream) => upstream.deregister({}, { signal }));
        memory.refusals.deregistration = undefined;
        return true;
      } catch (error) {
        const tries = (memory.refusals.deregistration?.tries ?? 0) + 1;
        const message = `WhatsApp did not deregister the number: ${ServiceError.from(error).message}; take the finalizer heliograph.dev/upstream away to delete the resource without it`;
        memory.refusals.deregistration = { tries, message };
        return false;
      }
    },
  };
}

/** The account's own controller tells of it too; whoever comes first does. */
async function tell(
  messages: Services["messages"],
  number: WhatsAppNumber,
  account: WhatsAppBusinessAccount,
  signal: AbortSignal,
): Promise<void> {
  const request = applyNumber(number, account);
  try {
    await messages.applyNumber(request, { signal });
  } catch (error) {
    if (!isRefusal(error) || error.reason !== "account_unknown") throw error;
    await messages.applyAccount(applyAccount(account), { signal });
    await messages.applyNumber(request, { signal });
  }
}

/** An answer, though not the wished one. */
function isRefusal(error: unknown): error is ServiceError {
  return (
    error instanceof ServiceError &&
    ["INVALID_ARGUMENT", "ALREADY_EXISTS", "NOT_FOUND", "FAILED_PRECONDITION"].includes(error.code)
  );
}
