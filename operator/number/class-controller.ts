// The controller of ConnectionClasses: whether a class can be used, and how far its newest settings are. It moves nothing: numbers do
// that, each in its turn.
import type { Logger } from "pino";
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import { connectionClasses, type Stored } from "../kinds.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { type Controller, createController, type Outcome, type Work } from "../runtime/controller.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { apiVersionOf } from "../runtime/objects.ts";
import { createQueue } from "../runtime/queue.ts";
import type { WrittenVersions } from "../runtime/written-versions.ts";
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
  written: WrittenVersions;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
};

const fieldManager = "heliograph-class";
const workers = 2;
/** While numbers move, how far they are is told this often. */
const movingMs = 5_000;
const behindMs = 50;

type Planned = { resource: Stored<ConnectionClass>; plan: ClassPlan };

/** As createNumberController. */
export function createClassController(options: ClassControllerOptions): Controller {
  const { watches, clock, random, metrics, log, written } = options;
  const name = "class";
  const queue = createQueue({ name, clock, random, metrics });
  const { store } = watches.classes;
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
  return createController<Stored<ConnectionClass> | "behind", Planned | "behind">({
    name,
    queue,
    workers,
    clock,
    metrics,
    log: log.child({ kind: "ConnectionClass" }),
    observe: ({ key }) => Promise.resolve(written.isCaughtUp(key) ? store.get(key) : "behind"),
    plan: (resource) => (resource === "behind" ? resource : { resource, plan: decide(resource, options) }),
    execute: (planned, work) =>
      planned === "behind" ? Promise.resolve({ kind: "requeue", afterMs: behindMs }) : execute(planned, options, work),
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
  { resource, plan }: Planned,
  { client, written, watches }: ClassControllerOptions,
  { key, signal }: Work,
): Promise<Outcome> {
  const { name, uid } = resource.metadata;
  if (hashOf(plan.status) !== hashOf(resource.status ?? {})) {
    const wish = {
      apiVersion: apiVersionOf(connectionClasses),
      kind: connectionClasses.kind,
      metadata: { name, uid },
      status: plan.status,
    };
    const saved = await client.apply(connectionClasses, wish, { fieldManager, subresource: "status", signal });
    written.remember(key, watches.classes.store, saved.metadata.resourceVersion);
  }
  return plan.isMoving ? { kind: "requeue", afterMs: movingMs } : { kind: "done" };
}
