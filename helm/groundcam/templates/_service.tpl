{{/* What serves HTTP: `serve`, which answers pictures, and `console`, which shows them. Each is `groundcam serve` in a role. */}}

{{/* How it is reached. Of (dict "values" .Values.serve). */}}
{{- define "groundcam.service.scheme" -}}{{ ternary "https" "http" (ne .values.tls.existingSecret "") }}{{- end }}
{{- define "groundcam.service.port" -}}8000{{- end }}

{{/* Where its secrets lie, of (dict "name" "serve"). */}}
{{- define "groundcam.service.secretsDir" -}}{{ include "groundcam.secretsDir" . }}/{{ .name }}{{- end }}

{{/* Whether proxies say who asks, of (dict "values" v); an empty header is none. */}}
{{- define "groundcam.service.isNamedByProxies" -}}
{{- $settings := .values.settings -}}
{{- if and $settings.trusted_proxies (dig "proxy_user_header" "X-Forwarded-User" $settings) }}true{{ end -}}
{{- end }}

{{/* Existing secret with the file of people, where there can be one; of (dict "values" v). */}}
{{- define "groundcam.service.users" -}}{{ dig "users" "existingSecret" "" .values }}{{- end }}

{{/* Under which names it is asked, where only some are answered: those of its objects, too. Of (dict "root" $ "name" n "values" v). */}}
{{- define "groundcam.service.names" -}}
{{- $values := .values -}}
{{- with $values.settings.names -}}
{{- $service := printf "%s-%s" (include "groundcam.fullname" $.root) $.name -}}
{{- $namespace := $.root.Release.Namespace -}}
{{- $names := concat . (list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace)) -}}
{{- if $values.ingress.enabled }}{{- $names = concat $names $values.ingress.hosts -}}{{- end -}}
{{- if $values.httpRoute.enabled }}{{- $names = concat $names $values.httpRoute.hostnames -}}{{- end -}}
{{- toYaml (uniq $names) -}}
{{- end -}}
{{- end }}

{{/* The program's settings, of (dict "root" $ "name" n "values" v). */}}
{{- define "groundcam.service.config" -}}
{{- $dir := include "groundcam.service.secretsDir" . -}}
{{ include "groundcam.commonConfig" (dict "root" .root "role" .name) }}
{{ include "groundcam.httpConfig" .root }}
serve:
  host: "::"
  port: {{ include "groundcam.service.port" . }}
  {{- if .values.open }}
  open: true
  {{- else if .values.keys.existingSecret }}
  keys_file: {{ $dir }}/keys/keys.yaml
  {{- end }}
  {{- if include "groundcam.service.users" . }}
  users_file: {{ $dir }}/users/users.yaml
  {{- end }}
  {{- if .values.tls.existingSecret }}
  tls_cert_file: {{ $dir }}/tls/tls.crt
  tls_key_file: {{ $dir }}/tls/tls.key
  {{- end }}
  {{- with include "groundcam.service.names" . }}
  names:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with omit .values.settings "names" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/*
Its ConfigMap and Deployment, of (dict "root" $ "name" n "values" v "replicas" r "ready" "/readyz"); `replicas` is left out
where something else scales it.
*/}}
{{- define "groundcam.service.workload" -}}
{{- $values := .values }}
{{- $id := dict "root" .root "component" .name "name" .name "role" .name "config" .name }}
{{- $secrets := include "groundcam.service.secretsDir" . }}
{{- $users := include "groundcam.service.users" . }}
{{- $config := include "groundcam.service.config" . }}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "groundcam.metadata" $id | nindent 2 }}
data:
  groundcam.yaml: |
    {{- $config | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "groundcam.metadata" $id | nindent 2 }}
spec:
  {{- with .replicas }}
  replicas: {{ . }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "groundcam.selector" $id | nindent 6 }}
  {{- with $values.strategy }}
  strategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "groundcam.podLabels" (merge (dict "labels" $values.podLabels) $id) | nindent 8 }}
      annotations:
        {{- include "groundcam.podAnnotations" (dict "root" .root "values" $values "config" $config) | nindent 8 }}
    spec:
      {{- $place := dict "values" $values "tolerations" $values.tolerations "constraints" $values.topologySpreadConstraints }}
      {{- include "groundcam.podBasics" (merge $place $id) | nindent 6 }}
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $values.extraInitContainers }}
      initContainers:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          {{- include "groundcam.containerBasics" (dict "root" .root "image" .root.Values.image.serve) | nindent 10 }}
          args:
            - {{ .name }}
            - --config
            - /etc/groundcam/groundcam.yaml
            {{- with $values.extraArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- with concat (include "groundcam.kafkaEnv" $id | fromYamlArray) $values.extraEnv }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $values.extraEnvFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - {name: api, containerPort: {{ include "groundcam.service.port" . }}}
            - {name: http, containerPort: {{ include "groundcam.port" . }}}
          {{- include "groundcam.probes" (dict "values" $values "ready" .ready) | nindent 10 }}
          # Routers learn only after the pod does that it is to end.
          lifecycle:
            preStop:
              sleep: {seconds: {{ $values.stopDelaySeconds }}}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            {{- include "groundcam.configMounts" $id | nindent 12 }}
            {{- if $values.keys.existingSecret }}
            - {name: keys, mountPath: {{ $secrets }}/keys, readOnly: true}
            {{- end }}
            {{- if $users }}
            - {name: users, mountPath: {{ $secrets }}/users, readOnly: true}
            {{- end }}
            {{- if $values.tls.existingSecret }}
            - {name: tls, mountPath: {{ $secrets }}/tls, readOnly: true}
            {{- end }}
            - {name: tmp, mountPath: /tmp}
            {{- with $values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "groundcam.configVolumes" $id | nindent 8 }}
        {{- with $values.keys.existingSecret }}
        - name: keys
          secret:
            secretName: {{ . | quote }}
            defaultMode: 0440
            items:
              - {key: {{ $values.keys.key | quote }}, path: keys.yaml}
        {{- end }}
        {{- with $users }}
        - name: users
          secret:
            secretName: {{ . | quote }}
            defaultMode: 0440
            items:
              - {key: {{ $values.users.key | quote }}, path: users.yaml}
        {{- end }}
        {{- with $values.tls.existingSecret }}
        - name: tls
          secret:
            secretName: {{ . | quote }}
            defaultMode: 0440
            items:
              - {key: {{ $values.tls.certKey | quote }}, path: tls.crt}
              - {key: {{ $values.tls.keyKey | quote }}, path: tls.key}
        {{- end }}
        - name: tmp
          emptyDir: {sizeLimit: {{ $values.scratchSizeLimit }}}
        {{- with $values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}

{{/* How it is reached: by its Service, and from outside by an Ingress or a Gateway. Of (dict "root" $ "name" n "values" v). */}}
{{- define "groundcam.service.ways" -}}
{{- $values := .values }}
{{- $id := dict "root" .root "component" .name "name" .name }}
{{- $name := printf "%s-%s" (include "groundcam.fullname" .root) .name }}
apiVersion: v1
kind: Service
metadata:
  {{- include "groundcam.metadata" (merge (dict "annotations" $values.service.annotations) $id) | nindent 2 }}
spec:
  type: {{ $values.service.type }}
  selector:
    {{- include "groundcam.selector" $id | nindent 4 }}
  ports:
    - {name: api, port: {{ $values.service.port }}, targetPort: api, appProtocol: {{ include "groundcam.service.scheme" . }}}
{{- if $values.ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "groundcam.metadata" (merge (dict "annotations" $values.ingress.annotations) $id) | nindent 2 }}
spec:
  {{- with $values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $values.ingress.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range $values.ingress.hosts }}
    - host: {{ . | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ $name }}, port: {name: api}}}
    {{- end }}
{{- end }}
{{- if $values.httpRoute.enabled }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "groundcam.metadata" (merge (dict "annotations" $values.httpRoute.annotations) $id) | nindent 2 }}
spec:
  parentRefs:
    {{- toYaml $values.httpRoute.parentRefs | nindent 4 }}
  {{- with $values.httpRoute.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        - path: {type: PathPrefix, value: /}
      backendRefs:
        - {name: {{ $name }}, port: {{ $values.service.port }}}
{{- end }}
{{- end }}

{{/* Who may reach it, and where it may go besides Kafka; of (dict "root" $ "name" n "peers" [...]), peers besides those of the values. */}}
{{- define "groundcam.service.policy" -}}
{{- $policy := index .root.Values.networkPolicy .name }}
{{- $id := dict "root" .root "component" .name "name" .name }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "groundcam.metadata" $id | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "groundcam.selector" $id | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {port: {{ include "groundcam.service.port" . }}, protocol: TCP}
      {{- if $policy.from }}
      from:
        {{- toYaml (concat $policy.from .peers) | nindent 8 }}
      {{- end }}
    {{- with $policy.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $policy.extraEgress }}
  egress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
