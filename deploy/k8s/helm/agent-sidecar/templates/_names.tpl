{{/* Names are the same in every cluster: the webhook's is the cluster's, so there is one injector in it. */}}
{{- define "agent-sidecar.name" -}}
agent-sidecar-injector
{{- end }}

{{/* By what the injector's pods are found; it must never change. */}}
{{- define "agent-sidecar.selector" -}}
app.kubernetes.io/name: agent-sidecar
app.kubernetes.io/component: injector
{{- end }}

{{- define "agent-sidecar.labels" -}}
{{ include "agent-sidecar.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata of an object; of .root, with .name and .labels and .annotations of its own. */}}
{{- define "agent-sidecar.metadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "agent-sidecar.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "agent-sidecar.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
