{{/*
One egress rule from (dict "ports" <numbers> "to" <peers> "protocols" <names>); no peers: to anywhere.
Policies see the address of a pod, not of the Service before it: https://kubernetes.io/docs/concepts/services-networking/network-policies/
*/}}
{{- define "k2-feed-operator.egress" -}}
- ports:
    {{- range $port := .ports }}
    {{- range default (list "TCP") $.protocols }}
    - port: {{ $port | int }}
      protocol: {{ . }}
    {{- end }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Name servers, brokers and registry: what the controller and the workers both talk to. */}}
{{- define "k2-feed-operator.sharedEgress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $brokers := list -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $brokers = append $brokers (regexFind "[0-9]+$" .) -}}
{{- end -}}
{{- $url := urlParse .Values.schemaRegistry.url -}}
{{- $registry := default (ternary "443" "80" (eq $url.scheme "https")) (regexFind ":[0-9]+$" $url.host | trimPrefix ":") -}}
{{ include "k2-feed-operator.egress" (dict "ports" $policy.dns.ports "to" $policy.dns.to "protocols" (list "UDP" "TCP")) }}
{{ include "k2-feed-operator.egress" (dict "ports" (default (uniq $brokers) $policy.kafka.ports) "to" $policy.kafka.to) }}
{{ include "k2-feed-operator.egress" (dict "ports" (default (list $registry) $policy.schemaRegistry.ports) "to" $policy.schemaRegistry.to) }}
{{- end -}}
