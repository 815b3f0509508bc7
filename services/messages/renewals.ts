// Gathers the renewals of 100 ms into one statement: with 5,000 numbers there are 1,000 a second.
import { faultPoint } from "#lib/fault-points.ts";
import { type Renewal, type Renewed, renewLeases } from "./store/leases.ts";

export type Renewals = {
  /** Undefined if the term is not the lease's any more. */
  renew(renewal: Renewal): Promise<Renewed | undefined>;
};

type Waiting = Renewal & { settle: (renewed: Renewed | undefined) => void; fail: (error: unknown) => void };

const gatherMs = 100;

type RenewAll = (renewals: readonly Renewal[]) => ReturnType<typeof renewLeases>;

export function createRenewals(renewAll: RenewAll): Renewals {
  let waiting: Waiting[] = [];

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = [];
    // In the order of their keys, so that copies of the service lock rows alike.
    batch.sort((a, b) => (a.phoneNumberId < b.phoneNumberId ? -1 : 1));
    try {
      faultPoint("lease.renew.before");
      const renewed = await renewAll(batch);
      faultPoint("lease.renew.after");
      for (const { phoneNumberId, term, settle } of batch) {
        const own = renewed.get(phoneNumberId);
        settle(own?.term === term ? own : undefined);
      }
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }

  return {
    renew({ phoneNumberId, term }) {
      return new Promise((settle, fail) => {
        if (waiting.length === 0) setTimeout(() => void flush(), gatherMs);
        waiting.push({ phoneNumberId, term, settle, fail });
      });
    },
  };
}
