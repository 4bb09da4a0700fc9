{{/* Where the model lies, and who brings it there. */}}

{{/* Whether the model comes from the Hub at all. */}}
{{- define "groundcam.model.isOfHub" -}}
{{- $model := .Values.model -}}
{{- if not (or (eq $model.cache.type "bundled") (eq $model.cache.type "image") (eq $model.name "demo") (include "groundcam.model.isFake" .)) }}true{{ end -}}
{{- end }}

{{- define "groundcam.model.isFake" -}}
{{- if or (eq .Values.model.name "fake") (hasPrefix "fake:" .Values.model.name) }}true{{ end -}}
{{- end }}

{{- define "groundcam.model.isFetched" -}}
{{- if and .Values.model.prefetch (include "groundcam.model.isOfHub" .) }}true{{ end -}}
{{- end }}

{{/* Whether there is a volume with models. */}}
{{- define "groundcam.model.isMounted" -}}
{{- if or (include "groundcam.model.isOfHub" .) (eq .Values.model.cache.type "image") }}true{{ end -}}
{{- end }}

{{/* work.model. A folder holds one revision, so that an upgrade never touches the weights that others read. */}}
{{- define "groundcam.modelPath" -}}
{{- $model := .Values.model -}}
{{- if include "groundcam.model.isFetched" . -}}
/models/{{ $model.name | replace "/" "--" }}/{{ default "newest" $model.revision }}
{{- else if include "groundcam.model.isMounted" . -}}
/models{{ with $model.cache.folder }}/{{ . }}{{ end }}
{{- else -}}
{{ $model.name }}
{{- end -}}
{{- end }}

{{- define "groundcam.model.volume" -}}
{{- $cache := .Values.model.cache -}}
- name: models
  {{- if eq $cache.type "emptyDir" }}
  emptyDir: {sizeLimit: {{ $cache.sizeLimit }}}
  {{- else if eq $cache.type "image" }}
  image:
    reference: {{ $cache.image.reference }}
    pullPolicy: {{ $cache.image.pullPolicy }}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ ternary $cache.existingClaim (printf "%s-models" (include "groundcam.fullname" .)) (eq $cache.type "existingClaim") | quote }}
    {{- if not (include "groundcam.model.isFetched" .) }}
    readOnly: true
    {{- end }}
  {{- end }}
{{- end }}

{{/* Whether each pod of a StatefulSet gets a volume of its own. */}}
{{- define "groundcam.model.isPerPod" -}}
{{- if and (include "groundcam.model.isOfHub" .) (eq .Values.model.cache.type "pvc") (eq .Values.worker.kind "StatefulSet") }}true{{ end -}}
{{- end }}

{{- define "groundcam.model.claimSpec" -}}
{{- $pvc := .Values.model.cache.pvc -}}
accessModes:
  {{- toYaml $pvc.accessModes | nindent 2 }}
{{- with $pvc.storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ $pvc.size }}
{{- end }}

{{- define "groundcam.model.initContainer" -}}
{{- $model := .Values.model -}}
- name: model
  {{- include "groundcam.containerBasics" (dict "root" . "image" .Values.image.worker) | nindent 2 }}
  args:
    - models
    - fetch
    - {{ $model.name | quote }}
    {{- with $model.revision }}
    - --revision
    - {{ . | quote }}
    {{- end }}
    - --into
    - {{ include "groundcam.modelPath" . | quote }}
  env:
    - {name: HF_HOME, value: /tmp/huggingface}
    {{- with $model.hub.endpoint }}
    - {name: HF_ENDPOINT, value: {{ . | quote }}}
    {{- end }}
    {{- with $model.hub.existingSecret }}
    - name: HF_TOKEN
      valueFrom:
        secretKeyRef:
          name: {{ . | quote }}
          key: {{ $model.hub.tokenKey | quote }}
    {{- end }}
  resources:
    {{- toYaml $model.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: models, mountPath: /models}
{{- end }}
