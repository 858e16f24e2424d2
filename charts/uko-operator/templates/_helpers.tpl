{{/* Name of every namespaced object. */}}
{{- define "uko-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- $full = $full | trunc 52 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "%s cannot be the name of a Service: it must begin with a letter and hold no dot. Set fullnameOverride." $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{/* Name of every object of the whole cluster: two releases of one name in two namespaces must not fight over it. */}}
{{- define "uko-operator.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "uko-operator.fullname" .) -}}
{{- end -}}

{{- define "uko-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "uko-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: with serviceAccount.create false, name the ServiceAccount that is there" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "uko-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "uko-operator.labels" -}}
{{ include "uko-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "uko-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security Standard asks of a container, and a root that nothing can be written to. */}}
{{- define "uko-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The user is the image's, by number; OpenShift's restricted-v2 puts one of the namespace's own range in its place. */}}
{{- define "uko-operator.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The operator names its Lease after the set of namespaces that it watches: src/process/lease.rs. */}}
{{- define "uko-operator.leaseName" -}}
{{- if .Values.watchNamespaces -}}
{{- printf "uko-operator-%s" (.Values.watchNamespaces | uniq | sortAlpha | join "," | sha256sum | trunc 10) -}}
{{- else -}}
uko-operator
{{- end -}}
{{- end -}}

{{- define "uko-operator.policyConfigMap" -}}
{{- default (printf "%s-policy" (include "uko-operator.fullname" .)) .Values.policy.existingConfigMap -}}
{{- end -}}

{{/* The ConfigMap with further CAs; nothing where there are none. */}}
{{- define "uko-operator.caConfigMap" -}}
{{- if .Values.extraCA.existingConfigMap -}}
{{- .Values.extraCA.existingConfigMap -}}
{{- else if .Values.extraCA.pem -}}
{{- printf "%s-ca" (include "uko-operator.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Prices that count in place of IBM's list; empty when there are none. */}}
{{- define "uko-operator.pricesConfigMap" -}}
{{- if .Values.prices -}}
{{- printf "%s-prices" (include "uko-operator.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Ports that the NetworkPolicy lets the operator reach beside DNS, as JSON. */}}
{{- define "uko-operator.egressPorts" -}}
{{- $ports := list 443 -}}
{{- range concat (.Values.networkPolicy.apiServerPorts | default list) (.Values.networkPolicy.extraEgressPorts | default list) -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Where `helm test` makes its object. */}}
{{- define "uko-operator.testNamespace" -}}
{{- if and .Values.test.namespace .Values.watchNamespaces (not (has .Values.test.namespace .Values.watchNamespaces)) -}}
{{- fail (printf "test.namespace: %s is none of watchNamespaces, so the operator would never see the object of helm test. Name one of them, or leave it empty." .Values.test.namespace) -}}
{{- end -}}
{{- .Values.test.namespace | default (first .Values.watchNamespaces) | default .Release.Namespace -}}
{{- end -}}

{{/* Binds a Role or ClusterRole to the operator: list of root, kind of the role, its name. */}}
{{- define "uko-operator.toTheOperator" -}}
{{- $root := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 | quote }}
subjects:
- kind: ServiceAccount
  name: {{ include "uko-operator.serviceAccountName" $root | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
{{- end -}}
