// What the webhooks service says of all subscriptions, asked in one call now and then. A service that was there a moment ago is not
// away yet.
import { equals } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import { loop } from "#lib/lifecycle.ts";
import {
  type Subscription,
  SubscriptionSchema,
  type SubscriptionStatus,
  SubscriptionStatusSchema,
  type WebhooksService,
} from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Answer } from "./facts.ts";

export type Described = { subscription: Subscription; status: SubscriptionStatus };

export type KnownSubscriptions = AsyncDisposable & {
  /** Nothing is known before the first answer; whoever applies a subscription asks for one. */
  get(name: string): Answer<Described | undefined>;
  /** Resolves when the service was asked after this moment, whatever it said. */
  refresh(): Promise<void>;
  /** `onChange` gets each name of which something changed; `onTurn` is called when the service went away or came back. */
  follow(listener: { onChange: (name: string) => void; onTurn: () => void }): void;
};

type Options = {
  webhooks: Pick<Client<typeof WebhooksService>, "listSubscriptions">;
  clock: Clock;
  log: Logger;
  intervalMs?: number;
  awayAfterMs?: number;
};

export function followSubscriptions(options: Options): KnownSubscriptions {
  const { webhooks, clock, log, intervalMs = 10_000, awayAfterMs = 10_000 } = options;
  const listeners: Parameters<KnownSubscriptions["follow"]>[0][] = [];
  let known = new Map<string, Described>();
  /** Undefined: it answered last. */
  let failing: { sinceMs: number; why: string } | undefined;
  let isAway = false;

  function turn(away: boolean): void {
    if (isAway === away) return;
    isAway = away;
    log[away ? "warn" : "info"](away ? { why: failing?.why } : {}, `webhooks is ${away ? "away" : "there"}`);
    for (const { onTurn } of listeners) onTurn();
  }

  function become(next: Map<string, Described>): void {
    const before = known;
    known = next;
    failing = undefined;
    turn(false);
    for (const name of new Set([...before.keys(), ...next.keys()])) {
      if (isSame(before.get(name), next.get(name))) continue;
      for (const { onChange } of listeners) onChange(name);
    }
  }

  async function ask(): Promise<void> {
    try {
      const { subscriptions, statuses } = await webhooks.listSubscriptions({});
      become(pair(subscriptions, statuses));
    } catch (error) {
      const nowMs = clock.monotonicMs();
      failing = { sinceMs: failing?.sinceMs ?? nowMs, why: ServiceError.from(error).message };
      if (nowMs - failing.sinceMs >= awayAfterMs) turn(true);
    }
  }

  const asker = oneAtATime(ask);
  const asksAgain = loop({
    name: "subscriptions",
    intervalMs,
    jitter: 0.1,
    log,
    task: asker.run,
  });
  return {
    get: (name) => (isAway ? { kind: "away", why: failing?.why ?? "" } : { kind: "known", value: known.get(name) }),
    refresh: asker.run,
    follow: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      await asksAgain[Symbol.asyncDispose]();
      await asker.idle();
    },
  };
}

/** Whoever comes while a run is under way gets the next one. */
function oneAtATime(task: () => Promise<void>): { run: () => Promise<void>; idle: () => Promise<void> } {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  function run(): Promise<void> {
    if (running === undefined) {
      running = task().finally(() => (running = undefined));
      return running;
    }
    next ??= running.then(() => {
      next = undefined;
      return run();
    });
    return next;
  }
  return {
    run,
    async idle() {
      await next;
      await running;
    },
  };
}

function pair(subscriptions: readonly Subscription[], statuses: readonly SubscriptionStatus[]): Map<string, Described> {
  const pairs = subscriptions.flatMap((subscription, index): [string, Described][] => {
    const status = statuses[index];
    return status === undefined ? [] : [[subscription.name, { subscription, status }]];
  });
  return new Map(pairs);
}

function isSame(a: Described | undefined, b: Described | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    equals(SubscriptionSchema, a.subscription, b.subscription) && equals(SubscriptionStatusSchema, a.status, b.status)
  );
}
