{{/* Values that are right by themselves, as the schema says, and wrong together. */}}
{{- define "k2-feed-operator.checks" -}}
{{- $several := gt (int .Values.replicaCount) 1 -}}
{{- if and $several (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicaCount=%d needs leaderElection.enabled=true: several controllers would all act on the same feeds" (int .Values.replicaCount)) -}}
{{- end -}}
{{- if and (eq (default "Recreate" .Values.strategy.type) "RollingUpdate") (not .Values.leaderElection.enabled) -}}
{{- fail "strategy.type=RollingUpdate needs leaderElection.enabled=true: the old and the new controller would both act on the same feeds" -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (not $several) -}}
{{- fail "podDisruptionBudget.enabled=true needs a replicaCount of 2 or more: a budget for one controller would only hold up drains" -}}
{{- end -}}
{{- if and (ne (toString .minAvailable) "") (ne (toString .maxUnavailable) "") -}}
{{- fail "podDisruptionBudget.minAvailable and .maxUnavailable are both set: a budget takes one of them" -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.tls -}}
{{- if and (not .enabled) (or .caSecretName .certificateSecretName) -}}
{{- fail "kafka.tls names a Secret and kafka.tls.enabled is false: set it to true, or the connection is not encrypted" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.schemaRegistry.tls.caSecretName (hasPrefix "http:" .Values.schemaRegistry.url) -}}
{{- fail (printf "schemaRegistry.tls.caSecretName is set and schemaRegistry.url=%s is not https: the connection would not be encrypted" .Values.schemaRegistry.url) -}}
{{- end -}}
{{- end -}}
