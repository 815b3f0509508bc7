// What kwok does to nodes and pods, in its own words: the steps of a kubelet that an operator can see, each at once.

type Expression = { key: string; operator: "Exists" | "DoesNotExist" | "In" | "NotIn"; values?: string[] };

const ready = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const isDeleted: Expression = { key: ".metadata.deletionTimestamp", operator: "Exists" };
const isKept: Expression = { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" };
const isUnready: Expression = { key: ready, operator: "NotIn", values: ["True"] };
const isIn = (...phases: string[]): Expression => ({ key: ".status.phase", operator: "In", values: phases });

const nodeReady = `
conditions:
- type: Ready
  status: "True"
  reason: KubeletReady
  message: kwok
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
allocatable: { cpu: "64", memory: 256Gi, pods: "110" }
capacity: { cpu: "64", memory: 256Gi, pods: "110" }
`;

const podRunning = `
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- type: {{ $type }}
  status: "True"
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: { running: { startedAt: {{ $now | Quote }} } }
{{ end }}
{{ with PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace }}
podIP: {{ . | Quote }}
podIPs: [{ ip: {{ . | Quote }} }]
{{ end }}
`;

const podEnded = `
{{ $now := Now }}
phase: Succeeded
conditions:
- type: Ready
  status: "False"
  reason: PodCompleted
  lastTransitionTime: {{ $now | Quote }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state: { terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} } }
{{ end }}
`;

function stage(name: string, kind: "Node" | "Pod", matchExpressions: Expression[], next: object): object {
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: { resourceRef: { apiGroup: "v1", kind }, selector: { matchExpressions }, next },
  };
}

/** One object a line, as kwok's configuration has them. */
export function kwokStages(): string {
  return [
    stage("node-ready", "Node", [isUnready], { statusTemplate: nodeReady }),
    stage("pod-running", "Pod", [isKept, isIn("Pending")], { statusTemplate: podRunning }),
    stage("pod-ended", "Pod", [isDeleted, isIn("Running")], { statusTemplate: podEnded }),
    stage("pod-gone", "Pod", [isDeleted, isIn("Pending", "Succeeded", "Failed")], { delete: true }),
  ]
    .map((each) => JSON.stringify(each))
    .join("\n---\n");
}
