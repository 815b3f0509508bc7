// The controller of ConnectionClasses: whether a class can be used, and how far its newest settings are. It moves nothing: numbers do
// that, each in its turn.
import type { Logger } from "pino";
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import { createKindController } from "../kind-controller.ts";
import { connectionClasses, type Stored } from "../kinds.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Controller, Outcome, Work } from "../runtime/controller.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { createQueue } from "../runtime/queue.ts";
import { createWrittenVersions } from "../runtime/written-versions.ts";
import { createStatusWriter, type StatusWriter } from "../status-writer.ts";
import type { Watches } from "../watches.ts";
import { type ClassFacts, isDefaultClass } from "./class.ts";
import { type ClassPlan, planClass } from "./class-plan.ts";
import { rulesOf } from "./controller.ts";
import type { Fleet } from "./fleet.ts";
import type { PodSettings } from "./pod.ts";

type ClassControllerOptions = {
  client: Client;
  watches: Pick<Watches, "classes" | "numbers" | "pods">;
  fleet: Fleet;
  settings: PodSettings;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
};

const fieldManager = "heliograph-class";
const workers = 2;
/** While numbers move, how far they are is told this often. */
const movingMs = 5_000;

/** As createNumberController. */
export function createClassController(options: ClassControllerOptions): Controller {
  const { client, watches, clock, random, metrics } = options;
  const name = "class";
  const queue = createQueue({ name, clock, random, metrics });
  const { store } = watches.classes;
  const written = createWrittenVersions();
  const writer = createStatusWriter({ client, resource: connectionClasses, store, written, fieldManager });
  const wakeClassOf = ({ spec }: { spec: { connectionClassName?: string } }): void => {
    const { connectionClassName } = spec;
    if (connectionClassName !== undefined) queue.add(connectionClassName);
    else for (const found of store.objects()) if (isDefaultClass(found)) queue.add(found.metadata.name);
  };
  watches.classes.follow(({ object }) => queue.add(object.metadata.name));
  // Late enough for the number to have been looked at and counted.
  watches.pods.follow((change) => {
    const number = watches.numbers.store.get(change.object.number);
    if (number !== undefined && change.type !== "updated") wakeClassOf(number);
  });
  return createKindController<Stored<ConnectionClass>, ClassPlan>({
    ...options,
    name,
    kind: connectionClasses.kind,
    queue,
    store,
    written,
    workers,
    observe: ({ key }) => Promise.resolve(store.get(key)),
    plan: (resource) => decide(resource, options),
    execute: ({ facts: resource, plan }, work) => execute(resource, plan, writer, work),
    forget: () => undefined,
  });
}

function decide(resource: Stored<ConnectionClass>, { fleet, settings, clock }: ClassControllerOptions): ClassPlan {
  const { metadata, spec, status } = resource;
  const facts: ClassFacts = { kind: "found", name: metadata.name, spec, status };
  const now = new Date(clock.wallMs());
  const rules = rulesOf(facts, settings, fleet, now);
  const counts = fleet.countsOf(metadata.name);
  return planClass({ resource, counts, rules, now });
}

async function execute(
  resource: Stored<ConnectionClass>,
  plan: ClassPlan,
  writer: StatusWriter,
  work: Work,
): Promise<Outcome> {
  await writer.save(resource, plan.status, work);
  return plan.isMoving ? { kind: "requeue", afterMs: movingMs } : { kind: "done" };
}
