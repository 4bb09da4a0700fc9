{{/* Where pods may go to. */}}

{{/* The port of a URL, or its scheme's. */}}
{{- define "groundcam.urlPort" -}}
{{- $host := urlParse . | dig "host" "" -}}
{{- $named := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- if $named -}}{{ $named }}
{{- else -}}
{{- get (dict "rtsp" "554" "rtsps" "322" "http" "80" "https" "443") (splitList "://" . | first | lower) -}}
{{- end -}}
{{- end }}

{{/* One rule, of (dict "ports" [...] "to" [...]). */}}
{{- define "groundcam.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Where a camera is, as YAML {cidrs, ports}; both empty for a file. Of (dict "root" $ "camera" c). */}}
{{- define "groundcam.cameraPlace" -}}
{{- $camera := .camera -}}
{{- $own := default (dict) $camera.egress -}}
{{- $cidrs := default (list) $own.cidrs -}}
{{- $ports := default (list) $own.ports -}}
{{- if regexMatch "^[^/]*://[^/@:]*:[^/@]*[^0-9/@][^/@]*/[^@]*@" $camera.url -}}
{{- /* Before the parser, whose error would show it. */ -}}
{{- fail "cameras: a url holds a password with a slash in it, which everybody could read in the ConfigMap: leave the user name, and name a secret in existingSecret" -}}
{{- end -}}
{{- if regexMatch "(?i)^rtsps?://" $camera.url -}}
{{- $host := (urlParse $camera.url).host -}}
{{- if not $cidrs -}}
{{- if regexMatch "^[0-9.]+(:[0-9]+)?$" $host -}}
{{- $cidrs = list (printf "%s/32" (splitList ":" $host | first)) -}}
{{- else if hasPrefix "[" $host -}}
{{- $cidrs = list (printf "%s/128" (regexFind "^\\[[^]]+" $host | trimPrefix "[")) -}}
{{- else -}}
{{- $cidrs = .root.Values.networkPolicy.cameras.cidrs -}}
{{- end -}}
{{- end -}}
{{- if not $ports -}}
{{- $ports = concat (list (include "groundcam.urlPort" $camera.url | int)) .root.Values.networkPolicy.cameras.ports | uniq -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "cidrs" $cidrs "ports" $ports) -}}
{{- end }}

{{/* The rules for some cameras, each combination of ports once. */}}
{{- define "groundcam.cameraEgress" -}}
{{- $byPorts := dict -}}
{{- range $id, $camera := .cameras -}}
{{- $place := include "groundcam.cameraPlace" (dict "root" $.root "camera" $camera) | fromYaml -}}
{{- if $place.cidrs -}}
{{- $key := toJson $place.ports -}}
{{- $_ := set $byPorts $key (concat (default (list) (get $byPorts $key)) $place.cidrs | uniq) -}}
{{- end -}}
{{- end -}}
{{- range $key, $cidrs := $byPorts }}
- ports:
    {{- range fromJsonArray $key }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- range $cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Where cameras are that send their pictures by UDP, as YAML [{ipBlock}]: the ports are agreed upon for each stream. */}}
{{- define "groundcam.cameraUdp" -}}
{{- $all := list -}}
{{- range $id, $camera := .cameras -}}
{{- if and (has $camera.transport (list "udp" "auto")) (regexMatch "(?i)^rtsps?://" $camera.url) -}}
{{- $place := include "groundcam.cameraPlace" (dict "root" $.root "camera" $camera) | fromYaml -}}
{{- $all = concat $all $place.cidrs -}}
{{- end -}}
{{- end -}}
{{- range $all | uniq }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end -}}
{{- end }}
