{{/* The objects of a part that is a Deployment. */}}

{{/* Everything of a part: service account aside. Takes what heliograph.podSpec takes, and perhaps headless, strategy and service. */}}
{{- define "heliograph.deployment" -}}
{{- $settings := .settings -}}
{{- $scored := dict
  "container-image-pull-policy" "an image is pulled by digest or by a tag that never moves"
  "container-resources" "no CPU limit, since a throttled process renews leases and answers probes late"
  "deployment-has-host-podantiaffinity" "topologySpreadConstraints spread the pods over hosts and zones"
  "deployment-replicas" "one copy is for trying out, values-production.yaml has more; a simulator is never two"
  "deployment-strategy" "a simulator keeps its state in memory, so that a second one would be another world" -}}
apiVersion: apps/v1
kind: Deployment
{{ include "heliograph.metadata" (dict "root" .root "component" .component "annotations" (include "heliograph.scored" $scored | fromJson)) }}
spec:
  {{- if not $settings.autoscaling.enabled }}
  replicas: {{ $settings.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    {{- toYaml (.strategy | default (dict "type" "RollingUpdate" "rollingUpdate" (dict "maxUnavailable" 0 "maxSurge" 1))) | nindent 4 }}
  selector:
    matchLabels:
      {{- include "heliograph.selectorLabels" . | nindent 6 }}
  template:
    {{- include "heliograph.podMetadata" (dict "root" .root "component" .component "settings" $settings "annotations" .podAnnotations) | nindent 4 }}
    spec:
      {{- include "heliograph.podSpec" . | nindent 6 }}
{{- end -}}

{{/* One away at a time, where there is more than one. */}}
{{- define "heliograph.pdb" -}}
{{- $settings := .settings -}}
{{- $copies := $settings.autoscaling.enabled | ternary $settings.autoscaling.minReplicas $settings.replicas | int -}}
{{- if and $settings.pdb.enabled (gt $copies 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "heliograph.metadata" (dict "root" .root "component" .component) }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "heliograph.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "heliograph.hpa" -}}
{{- $autoscaling := .settings.autoscaling -}}
{{- if $autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "heliograph.metadata" (dict "root" .root "component" .component) }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "heliograph.fullname" .root }}-{{ .component }}
  minReplicas: {{ $autoscaling.minReplicas }}
  maxReplicas: {{ $autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $autoscaling.targetCPUUtilizationPercentage }}
{{- end }}
{{- end -}}

{{/* A headless Service for gRPC: clients pick one of the addresses themselves. */}}
{{- define "heliograph.grpcService" -}}
---
apiVersion: v1
kind: Service
{{ include "heliograph.metadata" (dict "root" .root "component" .component) }}
spec:
  clusterIP: None
  selector:
    {{- include "heliograph.selectorLabels" . | nindent 4 }}
  ports:
    - name: grpc
      port: 9090
      targetPort: grpc
      appProtocol: kubernetes.io/h2c
{{- end -}}

{{/* A gRPC service of ours with all its objects. Takes root, component, settings, env, peers. */}}
{{- define "heliograph.grpcPart" -}}
{{- $_ := set . "args" (list .component) -}}
{{- $_ = set . "env" (concat (list (dict "name" "GRPC_PORT" "value" "9090")) .env) -}}
{{- $_ = set . "ports" (dict "grpc" 9090 "http" 8080) -}}
{{ include "heliograph.deployment" . }}
{{ include "heliograph.grpcService" . }}
{{- include "heliograph.pdb" . }}
{{- include "heliograph.hpa" . }}
{{- end -}}
