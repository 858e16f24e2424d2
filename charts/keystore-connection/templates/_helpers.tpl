{{/*
keystore-connection.objects: the instances of one kind with their defaults, as a list {name, labels, annotations, spec} in JSON.
In: dict "instances", "defaults".
*/}}
{{- define "keystore-connection.objects" -}}
{{- $objects := list -}}
{{- range $name, $instance := .instances -}}
{{- $object := mergeOverwrite (deepCopy $.defaults) (deepCopy ($instance | default dict)) -}}
{{- $objects = append $objects (set $object "name" $name) -}}
{{- end -}}
{{- toJson $objects -}}
{{- end -}}

{{/*
keystore-connection.names: every name that is referred to below a value, one a line: <key>.name, where <key> ends in "suffix".
It walks the whole value, so a field that a later version adds is found too; a test holds it against what the operator reads.
In: dict "in", "suffix".
*/}}
{{- define "keystore-connection.names" -}}
{{- range $key, $value := .in -}}
{{- if not (kindIs "map" $value) -}}
{{- else if hasSuffix $.suffix $key -}}
{{- printf "%s\n" (required (printf "%s.name: name what it refers to; it is empty or missing" $key) $value.name) -}}
{{- else -}}
{{- include "keystore-connection.names" (dict "in" $value "suffix" $.suffix) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* keystore-connection.labels: of every object of this release. */}}
{{- define "keystore-connection.labels" -}}
app.kubernetes.io/name: keystore-connection
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
