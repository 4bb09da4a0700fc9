{{/* Where pods may go to. */}}

{{/* Host and port of a URL as they stand there. Helm's urlParse would end the render with an error that shows the URL. */}}
{{- define "groundcam.urlHost" -}}
{{- regexReplaceAll "^.*@" (regexFind "^[^/?#]*" (splitn "://" 2 .)._1) "" -}}
{{- end }}

{{- define "groundcam.isIpv6" -}}
{{- $hex := "([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?" -}}
{{- $address := regexReplaceAll "(^|:)[0-9]{1,3}(\\.[0-9]{1,3}){3}$" . "${1}0:0" -}}
{{- $groups := len (regexFindAll "[0-9a-fA-F]+" $address -1) -}}
{{- $isShort := contains "::" $address -}}
{{- if and (regexMatch (printf "^%s(::%s)?$" $hex $hex) $address) (ternary (lt $groups 8) (eq $groups 8) $isShort) }}true{{ end -}}
{{- end }}

{{/* The port of a URL, or its scheme's. */}}
{{- define "groundcam.urlPort" -}}
{{- $host := include "groundcam.urlHost" . -}}
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
{{- if regexMatch "(?i)^rtsps?://" $camera.url -}}
{{- $host := include "groundcam.urlHost" $camera.url -}}
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
