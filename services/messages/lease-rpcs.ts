// The RPCs about leases, in the order of the contract.
import type { Log } from "#lib/log.ts";
import type { Handlers } from "#lib/grpc.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { fenced, numberUnknown } from "./ledger-rpcs.ts";
import { type Asker, isNews } from "./domain/lease.ts";
import type { Leasing, LeaseEnd } from "./leasing.ts";
import type { Metrics } from "./metrics.ts";
import type { Entry, Register } from "./register.ts";
import type { Renewals } from "./renewals.ts";
import type { ConnectionRecord } from "./store/register.ts";
import { hints } from "./topology.ts";
import { parseAcquire, parseCount, parsePhoneNumberId, parseProof, parseTold } from "./wire.ts";
import { toNumber } from "./wire-out.ts";

export type LeaseDependencies = {
  leasing: Leasing;
  renewals: Renewals;
  register: Register;
  metrics: Metrics;
  stopAfterMs: number;
  renewEveryMs: number;
  /** Tells a hint; it may be lost. */
  tell: (subject: string) => void;
  /** A lease changed hands: its news wait to be published. */
  onChange: () => void;
  log: Log;
};

export function leaseHandlers(dependencies: LeaseDependencies) {
  const { leasing, renewals, register, tell, onChange, log } = dependencies;

  async function end(phoneNumberId: string, term: number, how: LeaseEnd): Promise<boolean> {
    const ended = await leasing.end(phoneNumberId, term, how);
    if (!ended) return false;
    tell(hints.lease(phoneNumberId));
    onChange();
    log.info({ phoneNumberId, term, how: how.kind }, "lease ended");
    return true;
  }

  return {
    async acquire(request) {
      const { phoneNumberId, asker } = parseAcquire(request);
      const entry = await register.find(phoneNumberId);
      if (entry === undefined) throw numberUnknown(phoneNumberId);
      const acquired = await leasing.acquire(phoneNumberId, asker);
      switch (acquired.kind) {
        case "held": {
          if (acquired.handOver) tell(hints.fence(phoneNumberId));
          const { holder, retryAfterMs } = acquired;
          return { result: { case: "held", value: { holder, retryAfterMs: Math.ceil(retryAfterMs) } } };
        }
        case "granted":
          noteGrant(dependencies, asker, acquired.connection);
          return { result: { case: "granted", value: toGranted(dependencies, entry, acquired.connection) } };
        case "kept":
          return { result: { case: "granted", value: toGranted(dependencies, entry, acquired.connection) } };
      }
    },

    async renew(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      const term = parseCount("term", request.term);
      const told = parseTold(request);
      const renewed = await renewals.renew({ phoneNumberId, term });
      if (renewed === undefined) throw fenced(phoneNumberId, term);
      const entry = register.get(phoneNumberId);
      // A number that is not declared any more has no work for its holder.
      if (entry === undefined) return { workDue: false, handOver: true };
      if (isNews(told, entry.connection)) {
        await leasing.noteStanding({ phoneNumberId, term, told });
        onChange();
      }
      return { ...renewed, number: toNumber(entry) };
    },

    async release(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      const { wasRegistered } = request;
      await end(phoneNumberId, parseCount("term", request.term), { kind: "released", wasRegistered });
      return {};
    },

    async revoke(request) {
      const phoneNumberId = parsePhoneNumberId(request.phoneNumberId);
      const how: LeaseEnd = { kind: "revoked", proof: parseProof(request.proof) };
      return { revoked: await end(phoneNumberId, parseCount("term", request.term), how) };
    },
  } satisfies Handlers<typeof MessagesService>;
}

function noteGrant({ metrics, onChange, log }: LeaseDependencies, asker: Asker, connection: ConnectionRecord): void {
  const { phoneNumberId, term, cause } = connection;
  metrics.grants.inc({ cause });
  onChange();
  log.info({ phoneNumberId, term, cause, holder: asker.holder, epoch: asker.epoch }, "lease granted");
}

function toGranted({ stopAfterMs, renewEveryMs }: LeaseDependencies, entry: Entry, connection: ConnectionRecord) {
  // The register learns of it later; the holder begins with what the commit saw.
  const number = toNumber({ ...entry, connection });
  return { term: BigInt(connection.term), stopAfterMs, renewEveryMs, cause: connection.cause, number };
}
