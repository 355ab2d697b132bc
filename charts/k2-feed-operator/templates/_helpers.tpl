{{- define "k2-feed-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* <release>-<chart>, or the release's name alone where it already holds the chart's. */}}
{{- define "k2-feed-operator.fullname" -}}
{{- $name := include "k2-feed-operator.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "k2-feed-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "k2-feed-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is not set: with serviceAccount.create=false it names the ServiceAccount to use" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What selects the controller's pod: never changes in the life of a release, a Deployment's selector cannot. */}}
{{- define "k2-feed-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "k2-feed-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "k2-feed-operator.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/part-of" .Chart.Name
-}}
{{- $selector := include "k2-feed-operator.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) $own $selector | toYaml -}}
{{- end -}}

{{/* An image reference from (dict "image" <values> "appVersion" <tag when none is set>); a digest wins over a tag. */}}
{{- define "k2-feed-operator.image" -}}
{{- with .image.registry }}{{ . }}/{{ end }}{{ .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .appVersion .image.tag }}{{ end -}}
{{- end -}}

{{/* The two halves of the restricted profile. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */}}
{{- define "k2-feed-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "k2-feed-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
