// The rights that the operator needs, and no others: its tests run with just these, and the chart is checked against them.

export type PolicyRule = { apiGroups: string[]; resources: string[]; verbs: string[] };

const group = "heliograph.dev";
const kinds = ["whatsappnumbers", "whatsappbusinessaccounts", "whatsapptemplates", "webhooksubscriptions"];
const look = ["get", "list", "watch"];

/** In each namespace whose resources are looked after. */
export const namespacedRules: PolicyRule[] = [
  { apiGroups: [group], resources: kinds, verbs: [...look, "patch"] },
  { apiGroups: [group], resources: kinds.map((kind) => `${kind}/status`), verbs: ["patch"] },
  // blockOwnerDeletion in the pods' owner references asks for this one where OwnerReferencesPermissionEnforcement is on.
  { apiGroups: [group], resources: ["whatsappnumbers/finalizers"], verbs: ["update"] },
  { apiGroups: [""], resources: ["pods"], verbs: [...look, "create", "patch", "delete"] },
  // By name; never a list.
  { apiGroups: [""], resources: ["secrets"], verbs: ["get"] },
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
];

/** For what has no namespace. */
export const clusterRules: PolicyRule[] = [
  { apiGroups: [group], resources: ["connectionclasses"], verbs: look },
  { apiGroups: [group], resources: ["connectionclasses/status"], verbs: ["patch"] },
  { apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] },
];

/** In the operator's own namespace. */
export const leaseRules: PolicyRule[] = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] },
];
