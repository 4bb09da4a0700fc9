{{/*
A key with nothing below it, since all of its lines are commented out, is null, and Helm takes it out of the values. Here it is
empty again, as {}, [], "" or false, so that no template has to ask. What may not be empty the schema wants (its definition
`present`). Each template calls this first, since nothing says which one Helm renders first.
*/}}
{{- define "groundcam.fillEmpty" -}}
{{- $_ := merge .Values (include "groundcam.empty" . | fromYaml) -}}
{{- end }}

{{/* What templates look into without asking. */}}
{{- define "groundcam.empty" -}}
commonLabels: {}
commonAnnotations: {}
image: {registry: "", tag: ""}
kafka: {bootstrapServers: "", sasl: {mechanism: "", username: ""}}
topics: {kafka: {}, job: {resources: {}}}
model: {revision: "", resources: {}}
gpu: {tolerations: [], dra: {selectors: []}}
cameras: {}
{{- range $role := list "worker" "producers" "serve" "console" "tracker" "notify" }}
{{ $role }}:
  settings: {}
  kafka: {}
  resources: {}
  podLabels: {}
  podAnnotations: {}
  tolerations: []
  extraEnv: []
  {{- if has $role (list "serve" "console") }}
  tls: {existingSecret: ""}
  service: {annotations: {}}
  ingress: {hosts: [], tls: []}
  httpRoute: {parentRefs: [], hostnames: []}
  {{- end }}
  {{- if eq $role "serve" }}
  autoscaling: {enabled: false}
  {{- end }}
{{- end }}
networkPolicy:
  metrics: {from: []}
  kafka: {to: [], ports: []}
  cameras: {cidrs: [], ports: []}
  oauth: {to: []}
  trace: {to: []}
  {{- range list "worker" "producers" "serve" "console" "tracker" "notify" }}
  {{ . }}: {from: [], to: [], ports: [], extraEgress: [], extraIngress: []}
  {{- end }}
autoscaling: {enabled: false, frameAge: {enabled: false}}
monitoring: {rules: {enabled: false}, dashboards: {enabled: false}}
test: {resources: {}, kafka: {}}
{{- end }}
