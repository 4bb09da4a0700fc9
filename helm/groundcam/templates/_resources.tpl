{{/*
What producers' pods get of memory where the values say `auto`: 256Mi with one camera, 150Mi for each camera more, and up to
the limit as much again as one camera's process may take (produce.camera_memory_mib). So a camera that wants more than its own
limit is told alone; Kubernetes would end the pod, and all cameras in it.
*/}}

{{/* How many cameras the fullest pod plays: the program's own choice, by the greatest SHA-256 of pod and camera. Of (dict "cameras" {...} "replicas" n). */}}
{{- define "groundcam.fullestShard" -}}
{{- $loads := dict -}}
{{- $replicas := int .replicas -}}
{{- range $id, $_ := .cameras -}}
{{- $greatest := "" -}}
{{- $home := "" -}}
{{- range $number := until $replicas -}}
{{- $weight := printf "%d/%s" $number $id | sha256sum -}}
{{- if gt $weight $greatest -}}
{{- $greatest = $weight -}}
{{- $home = toString $number -}}
{{- end -}}
{{- end -}}
{{- $_ := set $loads $home (add1 (default 0 (get $loads $home))) -}}
{{- end -}}
{{- $fullest := 1 -}}
{{- range $load := values $loads -}}{{- $fullest = max $fullest $load -}}{{- end -}}
{{- $fullest -}}
{{- end }}

{{/* As YAML {request, limit}, in MiB; of (dict "root" $ "cameras" n). */}}
{{- define "groundcam.producerMemory" -}}
{{- $request := add 256 (mul 150 (sub .cameras 1)) -}}
{{- $one := default 512 .root.Values.producers.settings.camera_memory_mib | int -}}
{{- toYaml (dict "request" $request "limit" (add $request $one)) -}}
{{- end }}

{{/* A pod's resources with `auto` filled in; of (dict "root" $ "resources" {...} "cameras" n). */}}
{{- define "groundcam.producerResources" -}}
{{- $memory := include "groundcam.producerMemory" . | fromYaml -}}
{{- $resources := deepCopy .resources -}}
{{- range $part, $mebibytes := dict "requests" $memory.request "limits" $memory.limit -}}
{{- if eq "auto" (dig $part "memory" "" $resources | toString) -}}
{{- $_ := set (get $resources $part) "memory" (printf "%dMi" (int $mebibytes)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* A quantity in MiB, as 768 of 768Mi or 0.5 of 524288; nothing for one that is in no form known here. */}}
{{- define "groundcam.mebibytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?([eE][+]?[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $bytes := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if and $number (hasKey $bytes $unit) -}}
{{- divf (mulf (float64 $number) (get $bytes $unit)) 1048576 -}}
{{- end -}}
{{- end }}

{{/* Whether a limit is less than what `auto` would give; of (dict "root" $ "resources" {...} "cameras" n). */}}
{{- define "groundcam.isShortOfMemory" -}}
{{- $memory := include "groundcam.producerMemory" . | fromYaml -}}
{{- with include "groundcam.mebibytes" (dig "limits" "memory" "" .resources) -}}
{{- if lt (float64 .) (float64 $memory.limit) }}true{{ end -}}
{{- end -}}
{{- end }}
