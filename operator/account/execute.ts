// Makes an account's plan so. A failure is remembered, and told by the next look, which follows at once.
import { applyAccount } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Outcome, Work } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import type { Services } from "../services.ts";
import type { StatusWriter } from "../status-writer.ts";
import { afterFailure } from "../trial.ts";
import type { Observed } from "./observe.ts";
import type { AccountAction, AccountPlan } from "./plan.ts";

export type ExecutorOptions = {
  services: Pick<Services, "messages" | "upstream">;
  writer: StatusWriter;
  recorder: Recorder;
  clock: Clock;
};

const settleMs = 120_000;
const subscribed = {
  kind: "away",
  reason: "not_shown",
  why: "WhatsApp took the app's subscription and does not show it yet",
  tries: 1,
} as const;

export async function executeAccount(
  options: ExecutorOptions,
  { facts: observed, plan }: { facts: Observed; plan: AccountPlan },
  work: Work,
): Promise<Outcome> {
  const [action] = plan.actions;
  if (action !== undefined) {
    await carryOut(options, observed, action, work);
    return { kind: "requeue", afterMs: 0 };
  }
  await options.writer.save(observed.facts.account, plan.status, work);
  const { lookAgainMs } = plan;
  return lookAgainMs === undefined ? { kind: "done" } : { kind: "requeue", afterMs: lookAgainMs };
}

async function carryOut(
  { services, recorder, clock }: ExecutorOptions,
  { facts, memory }: Observed,
  action: AccountAction,
  { signal, log }: Work,
): Promise<void> {
  const { account } = facts;
  switch (action.kind) {
    case "declare": {
      const request = applyAccount(account);
      const of = hashOf(request);
      try {
        await services.messages.applyAccount(request, { signal });
        memory.declaredHash = of;
        memory.declaring = undefined;
      } catch (error) {
        memory.declaring = afterFailure(error, of, memory.declaring, clock.monotonicMs());
      }
      return;
    }
    case "subscribe":
      try {
        await services.upstream(action.address, (upstream) => upstream.subscribeApp({}, { signal }));
        // What was read before is not so any more; should WhatsApp be slow to show it, it is not told again and again.
        memory.reading = undefined;
        memory.subscribing = { ...subscribed, of: memory.fingerprint ?? "", retryAtMs: clock.monotonicMs() + settleMs };
        log.info("app was subscribed to the account's webhooks");
        recorder.record(account, {
          type: "Normal",
          reason: "Subscribed",
          action: "SubscribeApp",
          note: "subscribed the token's app to the account's webhooks",
        });
      } catch (error) {
        memory.subscribing = afterFailure(error, memory.fingerprint ?? "", memory.subscribing, clock.monotonicMs());
      }
      return;
  }
}
