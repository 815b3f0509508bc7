// The list of faults in force, with a count of how often each has fired.
import {
  type ApiFault,
  type Fault,
  type FaultTarget,
  fires,
  isWebhookFault,
  type WebhookFault,
} from "./domain/fault.ts";
import type { Chance } from "./domain/random.ts";

export type FaultList = {
  /** In the order in which they are tried. */
  list(): (Fault & { fired: number })[];
  replace(faults: readonly Fault[]): void;
  add(faults: readonly Fault[]): void;
  /** False if there is no such fault. */
  remove(id: string): boolean;
  /** The first API fault that meets the request; counted as fired. */
  takeApi(target: FaultTarget): ApiFault | undefined;
  /** Every webhook fault that meets the news; counted as fired. */
  takeWebhook(target: FaultTarget): WebhookFault[];
};

const none: WebhookFault[] = [];

export function createFaults(chance: Chance, onFired: (kind: Fault["kind"]) => void): FaultList {
  let all: Fault[] = [];
  let api: ApiFault[] = [];
  let webhook: WebhookFault[] = [];
  const fired = new Map<string, number>();

  function set(faults: readonly Fault[]): void {
    all = faults.map((fault) => ({ ...fault }));
    webhook = all.filter(isWebhookFault);
    api = all.filter((fault): fault is ApiFault => !isWebhookFault(fault));
  }

  function count(fault: Fault): void {
    if (fault.times !== undefined) fault.times -= 1;
    fired.set(fault.id, (fired.get(fault.id) ?? 0) + 1);
    onFired(fault.kind);
  }

  return {
    list: () => all.map((fault) => ({ ...fault, fired: fired.get(fault.id) ?? 0 })),
    replace(faults) {
      fired.clear();
      set(faults);
    },
    add: (faults) => set([...all.filter(({ id }) => !faults.some((one) => one.id === id)), ...faults]),
    remove(id) {
      const rest = all.filter((fault) => fault.id !== id);
      if (rest.length === all.length) return false;
      set(rest);
      return true;
    },
    takeApi(target) {
      const fault = api.find((one) => fires(one, target, chance.requests));
      if (fault !== undefined) count(fault);
      return fault;
    },
    takeWebhook(target) {
      if (webhook.length === 0) return none;
      const met = webhook.filter((one) => fires(one, target, chance.news));
      for (const fault of met) count(fault);
      return met;
    },
  };
}
