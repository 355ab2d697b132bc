{{- define "k2-feed-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* <release>-<chart>, or the release's name alone where it already holds the chart's. */}}
{{- define "k2-feed-operator.fullname" -}}
{{- $name := include "k2-feed-operator.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The full name and one more part, from (list . <part>), within what a label may hold. */}}
{{- define "k2-feed-operator.nameWith" -}}
{{- $part := index . 1 -}}
{{- $room := sub 62 (len $part) | int -}}
{{- printf "%s-%s" (include "k2-feed-operator.fullname" (index . 0) | trunc $room | trimSuffix "-") $part -}}
{{- end -}}

{{- define "k2-feed-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
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

{{/* Those of `helm test`: its pod must not be selected as a controller. */}}
{{- define "k2-feed-operator.testLabels" -}}
{{- $labels := include "k2-feed-operator.labels" . | fromYaml -}}
{{- mergeOverwrite $labels (dict "app.kubernetes.io/component" "test") | toYaml -}}
{{- end -}}

{{/* By which workers are found; the controller sets more: controller/deployment.ts. */}}
{{- define "k2-feed-operator.workerLabels" -}}
app.kubernetes.io/name: k2-feed-worker
app.kubernetes.io/managed-by: k2-feed-operator
{{- end -}}

{{/* An image reference from (list . <image's values>); a digest wins over a tag. */}}
{{- define "k2-feed-operator.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with default $image.registry $root.Values.global.imageRegistry }}{{ . }}/{{ end }}{{ $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default $root.Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{/* The smallest feed, for NOTES.txt and `helm test`. */}}
{{- define "k2-feed-operator.sampleFeed" -}}
apiVersion: feeds.k2.dev/v1alpha1
kind: ExchangeFeed
metadata:
  name: binance
  namespace: {{ default (include "k2-feed-operator.namespace" .) .Values.watchNamespace }}
spec:
  exchange: binance
  symbols: [BTCUSDT, ETHUSDT, BNBUSDT]
{{- end -}}

{{/* What both kinds of monitor say about a scrape. */}}
{{- define "k2-feed-operator.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
