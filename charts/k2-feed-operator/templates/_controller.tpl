{{/* The controller's environment: controller/config.ts reads these, and nothing else. */}}
{{- define "k2-feed-operator.environment" -}}
- name: K2_KAFKA_BOOTSTRAP_SERVERS
  value: {{ required "kafka.bootstrapServers is not set: name the brokers that feeds write to, for example --set kafka.bootstrapServers=redpanda.redpanda.svc:9092" .Values.kafka.bootstrapServers | quote }}
- name: K2_KAFKA_SCHEMA_REGISTRY_URL
  value: {{ required "schemaRegistry.url is not set: name a registry with the Confluent API, for example --set schemaRegistry.url=http://redpanda.redpanda.svc:8081" .Values.schemaRegistry.url | quote }}
- name: K2_WORKER_IMAGE
  value: {{ include "k2-feed-operator.image" (list . .Values.worker.image) | quote }}
- name: K2_WORKER_IMAGE_PULL_POLICY
  value: {{ .Values.worker.image.pullPolicy }}
- name: K2_LEADER_ELECTION
  value: {{ .Values.leaderElection.enabled | quote }}
- name: K2_LEASE_NAME
  value: {{ include "k2-feed-operator.fullname" . }}
- name: K2_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- $optional := dict
  "K2_WATCH_NAMESPACE" .Values.watchNamespace
  "K2_KAFKA_AUTH_SECRET" .Values.kafka.authSecretName
  "K2_KAFKA_TLS" (ternary "true" "" .Values.kafka.tls.enabled)
  "K2_KAFKA_TLS_CA_SECRET" .Values.kafka.tls.caSecretName
  "K2_KAFKA_TLS_CERTIFICATE_SECRET" .Values.kafka.tls.certificateSecretName
  "K2_KAFKA_SCHEMA_REGISTRY_AUTH_SECRET" .Values.schemaRegistry.authSecretName
  "K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_SECRET" .Values.schemaRegistry.tls.caSecretName
}}
{{- range $name, $value := $optional }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The list of constraints by which controllers are spread; each without a labelSelector gets the controller's. */}}
{{- define "k2-feed-operator.spread" -}}
{{- $overNodes := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash") -}}
{{- $default := ternary (list $overNodes) list (gt (int .Values.replicaCount) 1) -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "k2-feed-operator.selectorLabels" . | fromYaml)) -}}
{{- $constraints := list -}}
{{- range default $default .Values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (ternary . (merge $selector .) (hasKey . "labelSelector")) -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}
