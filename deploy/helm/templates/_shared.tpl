{{/* What gateways and migrations have in common. Labels say which release a pod is of, so that two fit in a namespace. */}}

{{- define "signalpost.labels" -}}
app.kubernetes.io/name: signalpost
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signalpost.labels.of.gateways" -}}
{{ include "signalpost.labels" . }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "signalpost.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "signalpost.pod" -}}
automountServiceAccountToken: false
# Else each Service becomes variables of its pods, and those of one called signalpost begin like settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.pod }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signalpost.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
