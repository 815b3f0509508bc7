{{/* Names, labels and images. */}}

{{- define "heliograph.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that the longest suffix still fits into a label. */}}
{{- define "heliograph.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "heliograph.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "heliograph.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of one part, for life: selectors cannot be changed. Takes root and component. */}}
{{- define "heliograph.selectorLabels" -}}
app.kubernetes.io/name: {{ include "heliograph.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes root and component. */}}
{{- define "heliograph.labels" -}}
{{ include "heliograph.selectorLabels" . }}
app.kubernetes.io/part-of: heliograph
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The whole metadata of an object of a part. Takes root, component, and perhaps name and annotations. */}}
{{- define "heliograph.metadata" -}}
metadata:
  name: {{ .name | default (printf "%s-%s" (include "heliograph.fullname" .root) .component) }}
  namespace: {{ .namespace | default .root.Release.Namespace }}
  labels:
    {{- include "heliograph.labels" . | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Takes root and image, which is laid over .Values.image unless own is true. */}}
{{- define "heliograph.image" -}}
{{- $image := deepCopy (.image | default dict) -}}
{{- if not .own }}{{ $image = mustMergeOverwrite (deepCopy .root.Values.image) $image }}{{ end -}}
{{- with .root.Values.global.imageRegistry | default $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* host:port of a part's gRPC, as every namespace reaches it. Takes root and component. */}}
{{- define "heliograph.address" -}}
{{ include "heliograph.fullname" .root }}-{{ .component }}.{{ .root.Release.Namespace }}.svc:9090
{{- end -}}

{{/* Where the operator looks. */}}
{{- define "heliograph.watchNamespace" -}}
{{- .Values.operator.watchNamespace | default .Release.Namespace -}}
{{- end -}}

{{/* Namespaces that are made ready for connection pods, as a JSON list. */}}
{{- define "heliograph.connectionNamespaces" -}}
{{- $first := eq .Values.operator.scope "Namespace" | ternary (list (include "heliograph.watchNamespace" .)) list -}}
{{- concat $first .Values.connection.namespaces | uniq | toJson -}}
{{- end -}}

{{/* Annotations that tell kube-score to look away, and people why. Takes a map from check to reason; answers JSON. */}}
{{- define "heliograph.scored" -}}
{{- $checks := keys . | sortAlpha -}}
{{- $reasons := list -}}
{{- range $checks }}{{ $reasons = append $reasons (printf "%s: %s" . (get $ .)) }}{{ end -}}
{{- dict "kube-score/ignore" (join "," $checks) "heliograph.dev/kube-score-reasons" (join "; " $reasons) | toJson -}}
{{- end -}}
