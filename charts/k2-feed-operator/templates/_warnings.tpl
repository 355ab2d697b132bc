{{/* What NOTES.txt says about values that work and are not safe: a line each; empty: there are none. */}}
{{- define "k2-feed-operator.warnings" -}}
{{- if not .Values.kafka.tls.enabled }}
WARNING: kafka.tls.enabled=false: what goes to the brokers is not encrypted; with SASL PLAIN, neither is the password.
{{- end }}
{{- if and .Values.schemaRegistry.authSecretName (hasPrefix "http:" .Values.schemaRegistry.url) }}
WARNING: schemaRegistry.url is not https: the password of schemaRegistry.authSecretName goes there as plain text.
{{- end }}
{{- if and .Values.crds.enabled (not .Values.crds.keep) }}
WARNING: crds.keep=false: helm uninstall deletes the CRD, and with it every ExchangeFeed of the cluster.
{{- end }}
{{- range $name, $image := dict "image" .Values.image "worker.image" .Values.worker.image }}
{{- if and (eq (default $.Chart.AppVersion $image.tag) "latest") (not $image.digest) }}
WARNING: {{ $name }}.tag=latest: a restarted pod may run another version than its neighbours; name a version or a digest.
{{- end }}
{{- end }}
{{- $pod := .Values.podSecurityContext }}
{{- $container := .Values.securityContext }}
{{- if or (not $pod.runAsNonRoot) $container.privileged $container.allowPrivilegeEscalation (not $container.readOnlyRootFilesystem) }}
WARNING: podSecurityContext and securityContext give the controller more than it needs; the defaults fit the restricted profile.
{{- end }}
{{- end -}}
