{{/* What pods have in common. */}}

{{/* The beginning of a pod's spec, of (dict "root" $ "component" c "values" v "tolerations" [...] "constraints" [...]). */}}
{{- define "groundcam.podBasics" -}}
serviceAccountName: {{ include "groundcam.serviceAccountName" .root }}
automountServiceAccountToken: false
# Links would set GROUNDCAM_... variables, which are settings, where a Service is called groundcam.
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $selector := dict "matchLabels" (include "groundcam.selector" . | fromYaml) -}}
{{- with .constraints }}
topologySpreadConstraints:
  {{- range . }}
  -
    {{- toYaml (merge (dict) . (dict "labelSelector" $selector)) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "groundcam.containerBasics" -}}
image: {{ include "groundcam.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/*
Probes of (dict "values" .Values.worker), and "ready" for another path than /readyz. The budget divided by the period is how
often the startup probe may fail. Of the others, one that is null is left out: it is the only way to be rid of a default.
*/}}
{{- define "groundcam.probes" -}}
{{- $startup := .values.startup -}}
startupProbe:
  httpGet: {path: /startupz, port: http}
  periodSeconds: {{ $startup.periodSeconds }}
  timeoutSeconds: 5
  failureThreshold: {{ divf $startup.budgetSeconds $startup.periodSeconds | ceil | int }}
{{- with .values.livenessProbe }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.readinessProbe }}
readinessProbe:
  httpGet: {path: {{ default "/readyz" $.ready }}, port: http}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Volumes that read the settings and the Kafka secrets, of (dict "root" $ "role" r "config" name). */}}
{{- define "groundcam.configVolumes" -}}
- name: config
  configMap:
    name: {{ include "groundcam.fullname" .root }}-{{ .config }}
    items:
      - {key: groundcam.yaml, path: groundcam.yaml}
{{- with include "groundcam.kafkaSources" . | trim }}
- name: kafka
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- end }}

{{- define "groundcam.configMounts" -}}
- {name: config, mountPath: /etc/groundcam, readOnly: true}
{{- if include "groundcam.kafkaSources" . | trim }}
- {name: kafka, mountPath: {{ include "groundcam.secretsDir" . }}/kafka, readOnly: true}
{{- end }}
{{- end }}

{{/*
Annotations of a pod, of (dict "root" $ "values" v "config" text). The hash restarts pods when their settings change; it is
of JSON, since versions of Helm indent YAML differently.
*/}}
{{- define "groundcam.podAnnotations" -}}
checksum/config: {{ .config | fromYaml | toJson | sha256sum }}
{{- with .root.Values.rollout }}
groundcam/rollout: {{ . | quote }}
{{- end }}
{{- with .values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
