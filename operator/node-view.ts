// What the operator keeps of a node: whether it answers, and whether it is to be emptied.
import { isRecord, type KubeObject, type Metadata } from "./runtime/objects.ts";

export type NodeView = {
  metadata: Pick<Metadata, "name" | "uid" | "resourceVersion">;
  /** The control plane does not hear of it. */
  isLost: boolean;
  /** By kubectl drain, the cluster autoscaler or Karpenter. */
  isDraining: boolean;
};

const unreachable = "node.kubernetes.io/unreachable";
const drainTaints = new Set([
  "node.kubernetes.io/unschedulable",
  "ToBeDeletedByClusterAutoscaler",
  "karpenter.sh/disrupted",
  "karpenter.sh/disruption",
]);

export function projectNode({ metadata, spec }: KubeObject): NodeView {
  const { name, uid, resourceVersion } = metadata;
  const fields = isRecord(spec) ? spec : {};
  const taints = Array.isArray(fields["taints"]) ? fields["taints"].filter(isRecord) : [];
  const keys = taints.map(({ key }) => (typeof key === "string" ? key : ""));
  return {
    metadata: { name, uid, resourceVersion },
    isLost: keys.includes(unreachable),
    isDraining: fields["unschedulable"] === true || keys.some((key) => drainTaints.has(key)),
  };
}
