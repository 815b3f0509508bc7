// The controller of WhatsAppBusinessAccounts.
import type { Logger } from "pino";
import { createKindController } from "../kind-controller.ts";
import { businessAccounts } from "../kinds.ts";
import type { Register } from "../number/register.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Controller } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { createQueue } from "../runtime/queue.ts";
import { createWrittenVersions } from "../runtime/written-versions.ts";
import type { Secrets } from "../secrets.ts";
import type { Services } from "../services.ts";
import { createStatusWriter } from "../status-writer.ts";
import type { Watches } from "../watches.ts";
import { executeAccount } from "./execute.ts";
import { createMemories } from "./memory.ts";
import type { AccountNews } from "./news.ts";
import { accountObserver } from "./observe.ts";
import { planAccount } from "./plan.ts";
import { wakeAccounts } from "./wakes.ts";

export type AccountControllerOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: Watches;
  secrets: Secrets;
  services: Pick<Services, "messages" | "upstream">;
  register: Register;
  news: AccountNews;
  recorder: Recorder;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
};

/** Collects keys from now on, works from start() on. Must be made before anything is awaited after the watches began. */
export function createAccountController(options: AccountControllerOptions): Controller {
  const { watches, clock, random, metrics } = options;
  const { store } = watches.accounts;
  const name = "account";
  const queue = createQueue({ name, clock, random, metrics });
  const written = createWrittenVersions();
  const memories = createMemories();
  const writer = createStatusWriter({
    ...options,
    resource: businessAccounts,
    store,
    written,
    fieldManager: "heliograph-account",
    told: ["TokenValid", "WebhookSubscribed", "BusinessVerified", "AccountReviewed", "PaymentReady"],
  });
  wakeAccounts({ ...options, memories, queue });
  return createKindController({
    ...options,
    name,
    kind: businessAccounts.kind,
    queue,
    store,
    written,
    observe: accountObserver({ ...options, memories }),
    plan: ({ facts }) => planAccount(facts),
    execute: (execution, work) => executeAccount({ ...options, writer }, execution, work),
    forget: (key) => memories.forget(key),
  });
}
