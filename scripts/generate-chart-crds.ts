// Writes the chart's copy of the CRD: crds/exchange-feed.yaml plus what makes it a template. Run it after editing the
// CRD; test/charts/chart.test.ts fails while the copy is old.
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
export const crdPath = 'crds/exchange-feed.yaml';
export const templatePath = 'charts/k2-feed-operator/templates/crd-exchange-feed.yaml';

const head = `\
{{- /* Generated from ${crdPath} by scripts/generate-chart-crds.ts: edit the former, then run the latter. */}}
{{- if .Values.crds.enabled }}
`;
// With this annotation Helm leaves the CRD, and every feed with it, in place when the release is uninstalled.
// https://helm.sh/docs/howto/charts_tips_and_tricks/#tell-helm-not-to-uninstall-a-resource
const metadata = `\
metadata:
  labels:
    {{- include "k2-feed-operator.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
`;

/**
 * The template of a CRD.
 * @param crd YAML of one CRD whose metadata is only a name
 * @throws Error when it holds what the template would change or break
 */
export function chartTemplate(crd: string): string {
  if (crd.includes('{{')) throw new Error(`${crdPath}: holds '{{', which Helm would run; write it without`);
  const parts = crd.split(/^metadata:\n(?= {2}name: \S+\n(?! ))/m);
  if (parts.length !== 2) throw new Error(`${crdPath}: metadata must hold a name and nothing else, once`);
  return `${head}${parts[0]}${metadata}${parts[1]?.trimEnd()}\n{{- end }}\n`;
}

if (import.meta.main) {
  writeFileSync(new URL(templatePath, root), chartTemplate(readFileSync(new URL(crdPath, root), 'utf8')));
  console.log(`wrote ${templatePath}`);
}
