{{/* What pods are made of. */}}

{{/* 60 per cent of the memory limit in MiB, so that the heap is collected before the kernel kills; empty for other units. */}}
{{- define "heliograph.heapMiB" -}}
{{- $memory := dig "limits" "memory" "" .resources | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $memory -}}
{{- div (mul (trimSuffix "Mi" $memory | int) 60) 100 -}}
{{- else if regexMatch "^[0-9]+Gi$" $memory -}}
{{- div (mul (trimSuffix "Gi" $memory | int) 1024 60) 100 -}}
{{- end -}}
{{- end -}}

{{/* What every process of ours reads, as a JSON list. Takes root and settings. */}}
{{- define "heliograph.commonEnv" -}}
{{- $env := list (dict "name" "LISTEN_HOST" "value" "0.0.0.0") (dict "name" "HTTP_PORT" "value" "8080") (dict "name" "LOG_LEVEL" "value" .root.Values.logLevel) -}}
{{- with include "heliograph.heapMiB" .settings -}}
{{- $env = append $env (dict "name" "NODE_OPTIONS" "value" (printf "--max-old-space-size=%s" .)) -}}
{{- end -}}
{{- with .root.Values.otlpEndpoint -}}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .) -}}
{{- end -}}
{{- $env | toJson -}}
{{- end -}}

{{/* DATABASE_URL and the size of the pool, as a JSON list. Takes root and settings. */}}
{{- define "heliograph.databaseEnv" -}}
{{- $from := include "heliograph.databaseSecret" .root | fromJson -}}
{{- list (dict "name" "DATABASE_URL" "valueFrom" (dict "secretKeyRef" $from)) (dict "name" "DATABASE_POOL_SIZE" "value" (.settings.databasePoolSize | int64 | toString)) | toJson -}}
{{- end -}}

{{/* Name and key of the Secret with the connection string, as JSON. */}}
{{- define "heliograph.databaseSecret" -}}
{{- $postgres := .Values.postgres -}}
{{- if eq $postgres.mode "external" -}}
{{- dict "name" $postgres.external.existingSecret "key" $postgres.external.key | toJson -}}
{{- else if eq $postgres.mode "cnpg" -}}
{{- dict "name" (printf "%s-postgres-app" (include "heliograph.fullname" .)) "key" "uri" | toJson -}}
{{- else -}}
{{- dict "name" ($postgres.standalone.existingSecret | default (printf "%s-postgres" (include "heliograph.fullname" .))) "key" "url" | toJson -}}
{{- end -}}
{{- end -}}

{{- define "heliograph.natsUrl" -}}
{{- if eq .Values.nats.mode "external" -}}
{{- .Values.nats.external.url -}}
{{- else -}}
{{- printf "nats://%s-nats.%s.svc:4222" (include "heliograph.fullname" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the certificates for grpc, nats or database. Takes root and peer. */}}
{{- define "heliograph.tlsSecret" -}}
{{- $tls := .root.Values.tls -}}
{{- $common := $tls.existingSecret | default (printf "%s-tls" (include "heliograph.fullname" .root)) -}}
{{- if eq .peer "nats" -}}{{- $tls.nats.existingSecret | default $common -}}
{{- else if eq .peer "database" -}}{{- $tls.database.existingSecret | default $common -}}
{{- else -}}{{- $common -}}{{- end -}}
{{- end -}}

{{/* A pod with one container of ours: everything below `spec`. Takes root, component, settings, args, env (a list), ports (name to
number), peers (of grpc, nats, database: those it shows certificates to), and perhaps volumes, mounts, graceSeconds, serviceAccount,
image and quickStop. */}}
{{- define "heliograph.podSpec" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
{{- $volumes := concat (list (dict "name" "tmp" "emptyDir" (dict "sizeLimit" "16Mi"))) (.volumes | default list) -}}
{{- $mounts := concat (list (dict "name" "tmp" "mountPath" "/tmp")) (.mounts | default list) -}}
{{- $env := concat (include "heliograph.commonEnv" . | fromJsonArray) .env -}}
{{- if $root.Values.tls.enabled -}}
{{- range $peer := .peers -}}
{{- $name := printf "%s-tls" $peer -}}
{{- $path := printf "/etc/heliograph/tls/%s" $peer -}}
{{- $secret := include "heliograph.tlsSecret" (dict "root" $root "peer" $peer) -}}
{{- $volumes = append $volumes (dict "name" $name "secret" (dict "secretName" $secret "defaultMode" 288)) -}}
{{- $mounts = append $mounts (dict "name" $name "mountPath" $path "readOnly" true) -}}
{{- $env = append $env (dict "name" (printf "%s_TLS_DIR" (upper $peer)) "value" $path) -}}
{{- end -}}
{{- end -}}
{{- include "heliograph.placement" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .graceSeconds | default 40 }}
containers:
  - name: {{ .component }}
    image: {{ include "heliograph.image" (dict "root" $root "image" (dig "image" (dict) $settings)) }}
    imagePullPolicy: {{ (dig "image" "pullPolicy" "" $settings) | default $root.Values.image.pullPolicy }}
    args: {{ .args | toJson }}
    env:
      {{- include "heliograph.mergeEnv" (dict "env" $env "extra" $settings.extraEnv) | nindent 6 }}
    ports:
      {{- range $name, $port := .ports }}
      - name: {{ $name }}
        containerPort: {{ $port }}
      {{- end }}
    {{- include "heliograph.probes" (dict "port" "http") | nindent 4 }}
    {{- if not .quickStop }}
    # Until endpoints are removed everywhere, new calls still arrive.
    lifecycle:
      preStop:
        sleep:
          seconds: 5
    {{- end }}
    resources:
      {{- toYaml $settings.resources | nindent 6 }}
    securityContext:
      {{- toYaml $settings.containerSecurityContext | nindent 6 }}
    volumeMounts:
      {{- toYaml (concat $mounts $settings.extraVolumeMounts) | nindent 6 }}
volumes:
  {{- toYaml (concat $volumes $settings.extraVolumes) | nindent 2 }}
{{- end -}}

{{/* Starting may take two minutes: a migration may have to wait for its turn. Being alive asks for nothing outside of the process. */}}
{{- define "heliograph.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: {{ .port }} }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* The user's variables replace ours of the same name: a list with a name twice is refused by server-side apply. */}}
{{- define "heliograph.mergeEnv" -}}
{{- $names := list -}}
{{- range .extra -}}{{- $names = append $names .name -}}{{- end -}}
{{- $merged := list -}}
{{- range .env -}}{{- if not (has .name $names) -}}{{- $merged = append $merged . -}}{{- end -}}{{- end -}}
{{- concat $merged .extra | toYaml -}}
{{- end -}}

{{/* Who runs it and where: the part of a pod's spec that all pods of the chart have. Takes root, component, settings, serviceAccount. */}}
{{- define "heliograph.placement" -}}
{{- $settings := .settings -}}
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ .serviceAccount | default (include "heliograph.fullname" .root) }}
securityContext:
  {{- toYaml $settings.podSecurityContext | nindent 2 }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $own := include "heliograph.selectorLabels" . | fromYaml }}
{{- with $settings.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml (mustMergeOverwrite (dict "labelSelector" (dict "matchLabels" $own)) (deepCopy .)) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Metadata of a pod template: without versions, which would roll stores that did not change. Takes root, component, settings and
perhaps annotations. */}}
{{- define "heliograph.podMetadata" -}}
metadata:
  labels:
    {{- include "heliograph.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/part-of: heliograph
    {{- with .root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .settings.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with mustMergeOverwrite (dict) (.annotations | default dict) .settings.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
