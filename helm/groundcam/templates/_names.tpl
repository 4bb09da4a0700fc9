{{/* Names, labels and images. */}}

{{- define "groundcam.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* At most 40 characters, so that there is room for what follows it. A longer one gets a hash, so that no two meet. */}}
{{- define "groundcam.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "groundcam.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "groundcam.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" (regexReplaceAll "[-.]+$" (trunc 31 $name) "") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- trimSuffix "-" $name -}}
{{- end }}

{{- define "groundcam.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "groundcam.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* What pods are found by; it must never change. Of (dict "root" $ "component" "worker"). */}}
{{- define "groundcam.selector" -}}
app.kubernetes.io/name: {{ include "groundcam.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "groundcam.labels" -}}
{{ include "groundcam.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{/* Without the chart's version, which would restart every worker for a chart that changed elsewhere. Of (dict "root" $ "component" c "labels" {}). */}}
{{- define "groundcam.podLabels" -}}
{{ include "groundcam.selector" . }}
app.kubernetes.io/version: {{ include "groundcam.version" .root | quote }}
app.kubernetes.io/part-of: groundcam
{{- with merge (dict) (default (dict) .labels) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A duration of Prometheus, as 15s, 500ms or 1m. */}}
{{- define "groundcam.milliseconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mulf (trimSuffix $unit . | float64) (get (dict "ms" 1 "s" 1000 "m" 60000) $unit) -}}
{{- end }}

{{/* An image's tag may be longer than a label, and have other characters. */}}
{{- define "groundcam.version" -}}
{{- default .Chart.AppVersion .Values.image.tag | trunc 63 | trimAll "-_." -}}
{{- end }}

{{/* metadata of (dict "root" $ "component" c "name" n "labels" {} "annotations" {}); name is what follows the full name. */}}
{{- define "groundcam.metadata" -}}
{{- $full := include "groundcam.fullname" .root -}}
name: {{ ternary (printf "%s-%s" $full .name) $full (ne (default "" .name) "") }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "groundcam.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Of (dict "root" $ "image" .Values.image.worker). */}}
{{- define "groundcam.image" -}}
{{- $path := ternary (printf "%s/%s" (trimSuffix "/" .root.Values.image.registry) .image.repository) .image.repository (ne .root.Values.image.registry "") -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $path .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (default .root.Chart.AppVersion .root.Values.image.tag) -}}
{{- end -}}
{{- end }}

{{/* The end of a camera's objects' names. Ids may hold capitals and dots and be long; those get a hash, so that none meet. */}}
{{- define "groundcam.cameraName" -}}
{{- $slug := . | lower | replace "_" "-" | replace "." "-" | trimSuffix "-" -}}
{{- if and (eq $slug .) (le (len $slug) 15) -}}
{{- printf "camera-%s" $slug -}}
{{- else -}}
{{- printf "camera-%s-%s" ($slug | trunc 6 | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- end -}}
{{- end }}
