{{- define "eisenergy.labels" -}}
app.kubernetes.io/name: eisenergy
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "eisenergy.claim" -}}
{{- .Values.storage.existingClaim | default (printf "%s-data" .Release.Name) }}
{{- end }}

{{- define "eisenergy.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: EISENERGY_HOME, value: /data}
  - {name: EISENERGY_LOG, value: json}
  - {name: EISENERGY_CLIENT, value: {{ .Values.client | quote }}}
  - {name: EISENERGY_URL, value: {{ printf "https://%s" .Values.host | quote }}}
  - {name: EISENERGY_PROXY, value: {{ .Values.ingress.network | quote }}}
  - {name: EISENERGY_METRICS, value: "0.0.0.0:9100"}
  - name: EISENERGY_DATABASE_URL
    value: {{ with .Values.database }}{{ printf "postgresql://%s@%s:%v/%s" .user .host .port .name | quote }}{{ end }}
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef: {name: {{ .Values.database.secret }}, key: password}
  - {name: NUMBA_CACHE_DIR, value: /tmp/numba}
  {{- range $name, $value := .Values.settings }}
  - {name: {{ printf "EISENERGY_%s" $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- with .Values.settingsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: scratch, mountPath: /tmp}
{{- end }}

{{- define "eisenergy.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: data
    persistentVolumeClaim: {claimName: {{ include "eisenergy.claim" . }}}
  - name: scratch
    emptyDir: {}
{{- end }}
