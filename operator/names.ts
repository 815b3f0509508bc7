// Labels, annotations and finalizers of the operator. Never with a phone number in them.

export const labels = {
  component: "app.kubernetes.io/component",
  instance: "app.kubernetes.io/instance",
  managedBy: "app.kubernetes.io/managed-by",
  numberUid: "heliograph.dev/number-uid",
  epoch: "heliograph.dev/epoch",
  /** "false" while the fleet's disruption budget protects the pod. */
  evictable: "heliograph.dev/evictable",
} as const;

export const managedBy = "heliograph-operator";
export const connectionComponent = "connection";

/** Of connection pods, and of nothing else. */
export const connectionSelector = `${labels.managedBy}=${managedBy},${labels.component}=${connectionComponent}`;

export const annotations = {
  /** "true": the operator leaves the resource alone. */
  paused: "heliograph.dev/paused",
  /** "true": no process may hold the number. */
  fence: "heliograph.dev/fence",
  /** Any text, best a time: a change of it has what was refused tried again at once. */
  reconcileAt: "heliograph.dev/reconcile-at",
  specHash: "heliograph.dev/spec-hash",
  /** On a pod that serves on: the successor that did not take its number over in time, as JSON. */
  standbyGivenUp: "heliograph.dev/standby-given-up",
  isDefaultClass: "heliograph.dev/is-default-class",
  /** The leader's term in which an object was written. */
  term: "heliograph.dev/leader-term",
} as const;

export const finalizers = {
  /** The services are to forget the number. */
  number: "heliograph.dev/number",
  /** WhatsApp is to deregister it. */
  upstream: "heliograph.dev/upstream",
} as const;

/** The template is to be deleted at WhatsApp. */
export const templateFinalizer = "heliograph.dev/template";

/** The webhooks service is to end the subscription. */
export const subscriptionFinalizer = "heliograph.dev/subscription";
