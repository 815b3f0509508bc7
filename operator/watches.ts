// What is watched, what is kept of it, and how it is found. Controllers follow the changes; what they do on one is to add keys to
// their queue.
import type { Logger } from "pino";
import type { ConnectionClass } from "./api/v1alpha1/connection-class.ts";
import type { WebhookSubscription } from "./api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "./api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "./api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "./api/v1alpha1/whatsapp-template.ts";
import {
  businessAccounts,
  connectionClasses,
  nodes,
  pods,
  projectAccount,
  projectClass,
  projectNumber,
  projectSubscription,
  projectTemplate,
  type Stored,
  webhookSubscriptions,
  whatsAppNumbers,
  whatsAppTemplates,
} from "./kinds.ts";
import { connectionSelector } from "./names.ts";
import { type NodeView, projectNode } from "./node-view.ts";
import { type PodView, projectPod } from "./pod-view.ts";
import type { Client, Selection } from "./runtime/client.ts";
import type { Clock, Random } from "./runtime/clock.ts";
import { startDriftCheck } from "./runtime/drift-check.ts";
import type { Indexes } from "./runtime/key-index.ts";
import type { RuntimeMetrics } from "./runtime/metrics.ts";
import type { KubeObject, Resource } from "./runtime/objects.ts";
import { startReflector } from "./runtime/reflector.ts";
import type { Cached, Change, Store } from "./runtime/store.ts";

export type Watched<T> = {
  store: Store<T>;
  /** `listener` adds keys and does nothing else. Whoever follows before the first await misses nothing. */
  follow(listener: (change: Change<T>) => void): void;
};

export type Watches = AsyncDisposable & {
  /** By account (`namespace/name`), class (name), phoneNumber and phoneNumberId. */
  numbers: Watched<Stored<WhatsAppNumber>>;
  /** By wabaId. */
  accounts: Watched<Stored<WhatsAppBusinessAccount>>;
  subscriptions: Watched<Stored<WebhookSubscription>>;
  /** By account (`namespace/name`) and by WhatsApp's key (`name/language`). */
  templates: Watched<Stored<WhatsAppTemplate>>;
  classes: Watched<Stored<ConnectionClass>>;
  /** By number (key) and node. */
  pods: Watched<PodView>;
  nodes: Watched<NodeView>;
  /** Resolves when every kind was listed once. */
  synced: Promise<void>;
  /** Of the watch that has been silent for longest. */
  ageMs(): number;
};

type WatchesOptions = {
  client: Client;
  /** All unless told. */
  namespace?: string | undefined;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
};

/** Until disposed; also compares the caches with the API server now and then. */
export function startWatches(options: WatchesOptions): Watches {
  const { client, namespace } = options;
  const running = new AsyncDisposableStack();
  const ages: (() => number)[] = [];
  const synced: Promise<void>[] = [];

  function watch<T extends Cached>(
    resource: Resource,
    project: (object: KubeObject) => T,
    indexes: Indexes<T> = {},
    selection: Selection = {},
  ): Watched<T> {
    const listeners: ((change: Change<T>) => void)[] = [];
    const onChange = (change: Change<T>): void => {
      for (const listener of listeners) listener(change);
    };
    const place = resource.isNamespaced ? { ...selection, namespace } : selection;
    const reflector = running.use(
      startReflector({ ...options, client, resource, selection: place, project, indexes, onChange }),
    );
    running.use(startDriftCheck({ ...options, reflector }));
    ages.push(reflector.ageMs);
    synced.push(reflector.synced);
    return { store: reflector.store, follow: (listener) => void listeners.push(listener) };
  }

  const watched = {
    numbers: watch(whatsAppNumbers, projectNumber, {
      account: ({ metadata, spec }) => [`${metadata.namespace ?? ""}/${spec.accountRef.name}`],
      class: ({ spec }) => [spec.connectionClassName ?? ""],
      phoneNumber: ({ spec }) => [spec.phoneNumber],
      phoneNumberId: ({ spec }) => [spec.phoneNumberId],
    }),
    accounts: watch(businessAccounts, projectAccount, { wabaId: ({ spec }) => [spec.wabaId] }),
    subscriptions: watch(webhookSubscriptions, projectSubscription),
    templates: watch(whatsAppTemplates, projectTemplate, {
      account: ({ metadata, spec }) => [`${metadata.namespace ?? ""}/${spec.accountRef.name}`],
      template: ({ spec }) => [`${spec.name}/${spec.language}`],
    }),
    classes: watch(connectionClasses, projectClass),
    pods: watch(
      pods,
      projectPod,
      { number: ({ number }) => [number], node: ({ nodeName }) => (nodeName === undefined ? [] : [nodeName]) },
      { labelSelector: connectionSelector },
    ),
    nodes: watch(nodes, projectNode),
  };
  return {
    ...watched,
    synced: Promise.all(synced).then(() => undefined),
    ageMs: () => Math.max(...ages.map((ageMs) => ageMs())),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
