{{/* The program's own settings file for each role, and where its secrets lie. No secret ever stands in the file. */}}

{{- define "groundcam.secretsDir" -}}/run/secrets/groundcam{{- end }}
{{- define "groundcam.port" -}}8080{{- end }}
{{/* Whether `helm test` can ask the service: it is open, or there is a key. */}}
{{- define "groundcam.serveIsTested" -}}
{{- $v := .Values -}}
{{- if and $v.test.enabled $v.serve.enabled (or $v.serve.open $v.serve.test.keySecret) }}true{{ end -}}
{{- end }}

{{/* Login and brokers of a role as YAML: kafka, and over it what the role has of its own. Of (dict "root" $ "role" "worker"). */}}
{{- define "groundcam.kafkaValues" -}}
{{- $own := (index .root.Values .role).kafka -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.kafka) (deepCopy $own)) -}}
{{- end }}

{{- define "groundcam.isSasl" -}}
{{- if hasPrefix "SASL_" .securityProtocol }}true{{ end -}}
{{- end }}
{{- define "groundcam.isTls" -}}
{{- if hasSuffix "SSL" .securityProtocol }}true{{ end -}}
{{- end }}

{{- define "groundcam.kafkaConfig" -}}
{{- $kafka := include "groundcam.kafkaValues" . | fromYaml -}}
{{- $dir := printf "%s/kafka" (include "groundcam.secretsDir" .) -}}
{{- $config := dict "bootstrap_servers" $kafka.bootstrapServers "topic_prefix" $kafka.topicPrefix "security_protocol" $kafka.securityProtocol "connect_timeout_s" $kafka.connectTimeoutSeconds -}}
{{- if include "groundcam.isSasl" $kafka -}}
{{- $_ := set $config "sasl_mechanism" $kafka.sasl.mechanism -}}
{{- if eq $kafka.sasl.mechanism "OAUTHBEARER" -}}
{{- if $kafka.oauth.tokenKey -}}
{{- $_ := set $config "oauth_token_file" (printf "%s/oauth-token" $dir) -}}
{{- else -}}
{{- $_ := set $config "oauth_token_url" $kafka.oauth.tokenUrl -}}
{{- $_ := set $config "oauth_client_id" $kafka.oauth.clientId -}}
{{- $_ := set $config "oauth_client_secret_file" (printf "%s/oauth-client-secret" $dir) -}}
{{- with $kafka.oauth.scope }}{{- $_ := set $config "oauth_scope" . -}}{{- end -}}
{{- end -}}
{{- else -}}
{{- if not $kafka.sasl.usernameKey }}{{- $_ := set $config "sasl_username" $kafka.sasl.username -}}{{- end -}}
{{- $_ := set $config "sasl_password_file" (printf "%s/sasl-password" $dir) -}}
{{- end -}}
{{- end -}}
{{- if include "groundcam.isTls" $kafka -}}
{{- $_ := set $config "tls_check_hostname" $kafka.tls.checkHostname -}}
{{- if or $kafka.tls.ca.existingSecret $kafka.tls.ca.existingConfigMap }}{{- $_ := set $config "tls_ca_file" (printf "%s/ca.crt" $dir) -}}{{- end -}}
{{- if $kafka.tls.client.existingSecret -}}
{{- $_ := set $config "tls_cert_file" (printf "%s/client.crt" $dir) -}}
{{- $_ := set $config "tls_key_file" (printf "%s/client.key" $dir) -}}
{{- if $kafka.tls.client.keyPasswordKey }}{{- $_ := set $config "tls_key_password_file" (printf "%s/client-key-password" $dir) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* The sources of the projected volume with a role's Kafka secrets; nothing where it has none. */}}
{{- define "groundcam.kafkaSources" -}}
{{- $kafka := include "groundcam.kafkaValues" . | fromYaml -}}
{{- if include "groundcam.isSasl" $kafka }}
{{- if eq $kafka.sasl.mechanism "OAUTHBEARER" }}
- secret:
    name: {{ $kafka.oauth.existingSecret | quote }}
    items:
      {{- if $kafka.oauth.tokenKey }}
      - {key: {{ $kafka.oauth.tokenKey | quote }}, path: oauth-token}
      {{- else }}
      - {key: {{ $kafka.oauth.clientSecretKey | quote }}, path: oauth-client-secret}
      {{- end }}
{{- else }}
- secret:
    name: {{ $kafka.sasl.existingSecret | quote }}
    items:
      - {key: {{ $kafka.sasl.passwordKey | quote }}, path: sasl-password}
{{- end }}
{{- end }}
{{- if include "groundcam.isTls" $kafka }}
{{- with $kafka.tls.ca }}
{{- if .existingSecret }}
- secret:
    name: {{ .existingSecret | quote }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- else if .existingConfigMap }}
- configMap:
    name: {{ .existingConfigMap | quote }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- with $kafka.tls.client }}
{{- if .existingSecret }}
- secret:
    name: {{ .existingSecret | quote }}
    items:
      - {key: {{ .certKey | quote }}, path: client.crt}
      - {key: {{ .keyKey | quote }}, path: client.key}
      {{- with .keyPasswordKey }}
      - {key: {{ . | quote }}, path: client-key-password}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Environment that a role's Kafka login needs: a user name that stands in the secret. */}}
{{- define "groundcam.kafkaEnv" -}}
{{- $kafka := include "groundcam.kafkaValues" . | fromYaml -}}
{{- if and (include "groundcam.isSasl" $kafka) (ne $kafka.sasl.mechanism "OAUTHBEARER") $kafka.sasl.usernameKey }}
- name: GROUNDCAM_KAFKA__SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $kafka.sasl.existingSecret | quote }}
      key: {{ $kafka.sasl.usernameKey | quote }}
{{- end }}
{{- end }}

{{/* What every role's file holds. */}}
{{- define "groundcam.commonConfig" -}}
kafka:
  {{- include "groundcam.kafkaConfig" . | nindent 2 }}
log:
  level: {{ .root.Values.log.level }}
  format: {{ .root.Values.log.format }}
{{- if .root.Values.trace.endpoint }}
trace:
  endpoint: {{ .root.Values.trace.endpoint | quote }}
  ratio: {{ .root.Values.trace.ratio }}
{{- end }}
{{- end }}

{{- define "groundcam.httpConfig" -}}
http:
  host: "::"
  port: {{ include "groundcam.port" . }}
{{- end }}

{{/* The questions by camera, "*" for the others. */}}
{{- define "groundcam.questions" -}}
{{- $questions := dict -}}
{{- with .Values.question }}{{- $_ := set $questions "*" . -}}{{- end -}}
{{- range $id, $camera := .Values.cameras -}}
{{- with $camera.question }}{{- $_ := set $questions $id . -}}{{- end -}}
{{- end -}}
{{- if $questions }}{{- toYaml $questions -}}{{- end -}}
{{- end }}

{{/* As the program names it itself. */}}
{{- define "groundcam.group" -}}
{{- $name := trimSuffix "." .Values.kafka.topicPrefix | default "groundcam" -}}
{{- $isFake := ne (include "groundcam.model.isFake" .) "" -}}
{{- default (printf "%s-worker%s" $name (ternary ".fake" "" $isFake)) .Values.worker.group -}}
{{- end }}

{{- define "groundcam.workerConfig" -}}
{{- $worker := .Values.worker -}}
{{ include "groundcam.commonConfig" (dict "root" . "role" "worker") }}
{{ include "groundcam.httpConfig" . }}
work:
  model: {{ include "groundcam.modelPath" . | quote }}
  device: {{ ternary "cpu" "cuda" (eq .Values.gpu.mode "none") }}
  group: {{ include "groundcam.group" . | quote }}
  drain_timeout_s: {{ $worker.drainTimeoutSeconds }}
  session_timeout_s: {{ $worker.sessionTimeoutSeconds }}
  {{- with include "groundcam.questions" . }}
  question:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $worker.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "groundcam.trackerConfig" -}}
{{- $tracker := .Values.tracker -}}
{{ include "groundcam.commonConfig" (dict "root" . "role" "tracker") }}
{{ include "groundcam.httpConfig" . }}
{{- $track := deepCopy $tracker.settings }}
{{- with $tracker.group }}{{- $_ := set $track "group" . }}{{- end }}
{{- with $track }}
track:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the keys of notify.existingSecret lie as files. */}}
{{- define "groundcam.notifySecretsDir" -}}{{ include "groundcam.secretsDir" . }}/notify{{- end }}

{{- define "groundcam.notifyConfig" -}}
{{ include "groundcam.commonConfig" (dict "root" . "role" "notify") }}
{{ include "groundcam.httpConfig" . }}
notify:
  {{- with .Values.notify.group }}
  group: {{ . | quote }}
  {{- end }}
  {{- toYaml .Values.notify.settings | nindent 2 }}
{{- end }}

{{/* Settings as YAML, with the word none for max_size as the program's null: some versions of Helm drop a null of the values. */}}
{{- define "groundcam.sized" -}}
{{- $settings := deepCopy . -}}
{{- if eq (default "" .max_size) "none" }}{{- $_ := set $settings "max_size" nil -}}{{- end -}}
{{- toYaml $settings -}}
{{- end }}

{{/* Of (dict "root" $ "cameras" {...}). */}}
{{- define "groundcam.producerConfig" -}}
{{- $secrets := include "groundcam.secretsDir" . -}}
{{ include "groundcam.commonConfig" (dict "root" .root "role" "producers") }}
{{ include "groundcam.httpConfig" . }}
produce:
  {{- with include "groundcam.sized" .root.Values.producers.settings | fromYaml }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  cameras:
    {{- range $id, $camera := .cameras }}
    {{- $one := pick $camera "url" "name" "fps" "max_size" "loop" "transport" "rotate" "aspect" "deinterlace" "keep_damaged" "tls_verify" "tls_fingerprint" "tls_ca_file" }}
    {{- if $camera.existingSecret }}
    {{- $_ := set $one "password_file" (printf "%s/cameras/%s" $secrets $id) }}
    {{- end }}
    {{ $id | quote }}:
      {{- include "groundcam.sized" $one | nindent 6 }}
    {{- end }}
{{- end }}

{{/*
The sources of the projected volume with the cameras' passwords, one for each camera. They are optional: of a secret or key that
is missing only that camera's file is, and the pod starts for the others. What appears later reaches the running pod.
*/}}
{{- define "groundcam.cameraSources" -}}
{{- range $id, $camera := .cameras }}
{{- with $camera.existingSecret }}
- secret:
    name: {{ . | quote }}
    optional: true
    items:
      - {key: {{ default "password" $camera.passwordKey | quote }}, path: {{ $id | quote }}}
{{- end }}
{{- end }}
{{- end }}
