{{/* Copies of the stream, as text. */}}
{{- define "heliograph.streamReplicas" -}}
{{- if eq .Values.nats.mode "external" -}}
{{- .Values.nats.external.streamReplicas | int64 -}}
{{- else -}}
{{- .Values.nats.standalone.replicas | int64 -}}
{{- end -}}
{{- end -}}

{{/* The claim of a store's volume, or the emptyDir that stands in for it. Takes root, component and storage. */}}
{{- define "heliograph.volumeClaims" -}}
{{- if .storage.persistent }}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "heliograph.selectorLabels" . | nindent 8 }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .storage.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .storage.size }}
{{- end }}
{{- end -}}

{{/* Pods of a store that has one copy wait for it to come back; there is nothing to hand over to. */}}
{{- define "heliograph.storeScores" -}}
{{- include "heliograph.scored" (dict
  "container-image-pull-policy" "the tag of the official image moves within a minor version only"
  "container-resources" "no CPU limit, since a throttled store slows everything"
  "container-security-context-user-group-id" "the official image of Postgres knows its user by this number"
  "pod-probes-identical" "a Postgres listens or does not; there is no third thing to ask it"
  "statefulset-has-host-podantiaffinity" "topologySpreadConstraints spread the pods over hosts and zones") -}}
{{- end -}}
