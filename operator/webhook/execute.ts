// Makes a subscription's plan so. Secrets are read for the moment of their use. A failure is remembered, and told by the next look,
// which follows at once.
import type { Client } from "#lib/grpc.ts";
import type { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Outcome, Work } from "../runtime/controller.ts";
import type { Secrets } from "../secrets.ts";
import type { StatusWriter } from "../status-writer.ts";
import { afterFailure } from "../trial.ts";
import type { KnownSubscriptions } from "./known-subscriptions.ts";
import { type Observed, secretRefsOf } from "./observe.ts";
import type { SubscriptionAction, SubscriptionPlan } from "./plan.ts";

export type ExecutorOptions = {
  webhooks: Pick<Client<typeof WebhooksService>, "applySubscription" | "removeSubscription">;
  secrets: Pick<Secrets, "read">;
  known: Pick<KnownSubscriptions, "refresh">;
  writer: StatusWriter;
  clock: Clock;
};

type Execution = { facts: Observed; plan: SubscriptionPlan };
type Step = Execution & { options: ExecutorOptions; work: Work };

export async function executeSubscription(
  options: ExecutorOptions,
  execution: Execution,
  work: Work,
): Promise<Outcome> {
  const { facts: observed, plan } = execution;
  const step = { ...execution, options, work };
  for (const action of plan.actions) {
    if ((await carryOut(step, action)) === "lookAgain") return { kind: "requeue", afterMs: 0 };
  }
  if (isGone(step)) return { kind: "done" };
  const { memory, facts } = observed;
  const isWritten = await options.writer.save(facts.subscription, plan.status, work);
  if (isWritten && plan.hasNewFigures) memory.figuresWrittenAtMs = options.clock.monotonicMs();
  const { lookAgainMs } = plan;
  return lookAgainMs === undefined ? { kind: "done" } : { kind: "requeue", afterMs: lookAgainMs };
}

/** Without our finalizer it is gone, or goes without us. */
function isGone({ facts: { facts }, plan }: Execution): boolean {
  const isDropped = plan.actions.some((action) => action.kind === "keepFinalizers" && action.finalizers.length === 0);
  return facts.subscription.metadata.deletionTimestamp !== undefined && isDropped;
}

async function carryOut(step: Step, action: SubscriptionAction): Promise<"goOn" | "lookAgain"> {
  const { options, work, facts: observed } = step;
  switch (action.kind) {
    case "keepFinalizers":
      await options.writer.keepFinalizers(observed.facts.subscription, action.finalizers, work);
      return "goOn";
    case "apply":
      await apply(step, action.fingerprint);
      return "lookAgain";
    case "remove":
      return remove(step);
  }
}

async function apply({ options, work, facts: { facts, memory } }: Step, fingerprint: string): Promise<void> {
  const { webhooks, secrets, known, clock } = options;
  const { subscription, resolved } = facts;
  if (resolved.kind === "unresolved") return;
  const { namespace = "" } = subscription.metadata;
  const values: string[] = [];
  for (const { name, key } of secretRefsOf(subscription.spec)) {
    const value = await secrets.read(`${namespace}/${name}`, key);
    if (value === undefined) throw new Error(`secret ${namespace}/${name} has gone since it was looked at`);
    values.push(value);
  }
  const request = { subscription: { ...resolved.declared, secrets: values } };
  try {
    await webhooks.applySubscription(request, { signal: work.signal });
    memory.applied = { fingerprint, atMs: clock.monotonicMs() };
    memory.applying = undefined;
    work.log.info({ secrets: values.length }, "webhooks was told of the subscription");
    await known.refresh();
  } catch (error) {
    memory.applying = afterFailure(error, fingerprint, memory.applying, clock.monotonicMs());
  }
}

async function remove({ options, work, facts: { memory } }: Step): Promise<"goOn" | "lookAgain"> {
  try {
    await options.webhooks.removeSubscription({ name: work.key }, { signal: work.signal });
  } catch (error) {
    memory.removing = afterFailure(error, "removal", memory.removing, options.clock.monotonicMs());
    return "lookAgain";
  }
  memory.removing = undefined;
  memory.applied = undefined;
  work.log.info("webhooks was told to end the subscription");
  await options.known.refresh();
  return "goOn";
}
