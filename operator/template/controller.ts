// The templates' controller: what wakes a template, and its three beats.
import type { Logger } from "pino";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { createKindController } from "../kind-controller.ts";
import { type Stored, whatsAppTemplates } from "../kinds.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Controller } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import { createQueue, type WorkQueue } from "../runtime/queue.ts";
import type { Change } from "../runtime/store.ts";
import { createWrittenVersions } from "../runtime/written-versions.ts";
import type { Services } from "../services.ts";
import { createCatalog, type TemplateName } from "./catalog.ts";
import { executeTemplate } from "./execute.ts";
import { createMemories } from "./memory.ts";
import { accountOf, templateObserver, type TemplateWatches } from "./observe.ts";
import { planTemplate } from "./plan.ts";
import { upstreamActions } from "./upstream-actions.ts";

export type TemplateControllerOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: TemplateWatches;
  services: Pick<Services, "templates">;
  recorder: Recorder;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
  /** How often changes at WhatsApp are looked for; 15 s unless told. */
  pollMs?: number | undefined;
};

const name = "template";
/** WhatsApp checks a template for some seconds before it answers. */
const timeLimitMs = 100_000;

/** Collects keys from now on, works from start() on. Must be made before anything is awaited after the watches began. */
export function createTemplateController(options: TemplateControllerOptions): Controller {
  const { watches, services, clock, random, metrics } = options;
  const { templates } = services;
  const { store } = watches.templates;
  const queue = createQueue({ name, clock, random, metrics });
  const written = createWrittenVersions();
  const memories = createMemories();
  const catalog = createCatalog({ ...options, templates });
  const upstream = upstreamActions({ templates, catalog, clock });
  wakeByChanges(watches, queue);
  const controller = createKindController({
    ...options,
    name,
    kind: whatsAppTemplates.kind,
    queue,
    store,
    written,
    timeLimitMs,
    observe: templateObserver({ watches, catalog, memories, clock }),
    plan: ({ facts }) => planTemplate(facts),
    execute: (execution, work) => executeTemplate({ ...options, written, upstream }, execution, work),
    forget: (key) => memories.forget(key),
  });
  return {
    start() {
      controller.start();
      catalog.follow({
        declared: () => namesOf(watches),
        onChange: (changed) => wakeDeclaring(watches, queue, changed),
        onTurn: () => wakeAll(watches, queue),
      });
    },
    halt: () => controller.halt(),
    async [Symbol.asyncDispose]() {
      await catalog[Symbol.asyncDispose]();
      await controller[Symbol.asyncDispose]();
    },
  };
}

function wakeByChanges(watches: TemplateWatches, queue: WorkQueue): void {
  watches.templates.follow((change) => {
    queue.add(keyOf(change.object.metadata), { priority: priorityOf(change) });
    // Another one with the same name and language may have become the older one.
    if (change.type !== "updated") for (const key of namesakesOf(watches, change.object)) queue.add(key);
  });
  watches.accounts.follow(({ type, object }) => {
    // One that came or went may have made another the older one.
    const accounts = type === "updated" ? [] : watches.accounts.store.lookup("wabaId", object.spec.wabaId);
    for (const { metadata } of [object, ...accounts])
      for (const template of watches.templates.store.lookup("account", keyOf(metadata)))
        queue.add(keyOf(template.metadata));
  });
}

function priorityOf({ type, object }: Change<Stored<WhatsAppTemplate>>): "urgent" | "normal" | "background" {
  if (object.metadata.deletionTimestamp !== undefined) return "urgent";
  const isSettled = object.status?.observedGeneration === object.metadata.generation;
  // The backlog of a start comes after what somebody has just applied.
  return type === "added" && isSettled ? "background" : "normal";
}

function namesakesOf(watches: TemplateWatches, { metadata, spec }: Stored<WhatsAppTemplate>): Key[] {
  const { store } = watches.templates;
  const same = store.lookup("template", `${spec.name}/${spec.language}`);
  return same.filter((other) => other.metadata.uid !== metadata.uid).map((other) => keyOf(other.metadata));
}

function* namesOf(watches: TemplateWatches): Generator<TemplateName> {
  for (const template of watches.templates.store.objects()) {
    const wabaId = accountOf(watches, template)?.spec.wabaId;
    if (wabaId !== undefined) yield { wabaId, name: template.spec.name, language: template.spec.language };
  }
}

function wakeDeclaring(watches: TemplateWatches, queue: WorkQueue, { name: called, language }: TemplateName): void {
  for (const { metadata } of watches.templates.store.lookup("template", `${called}/${language}`))
    queue.add(keyOf(metadata));
}

function wakeAll(watches: TemplateWatches, queue: WorkQueue): void {
  for (const key of watches.templates.store.keys()) queue.add(key, { priority: "background" });
}
