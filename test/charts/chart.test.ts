// What the chart's files promise about each other and about the rest of the project; needs no helm.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartTemplate, crdPath, templatePath } from '../../scripts/generate-chart-crds.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const chartFile = (path: string) => read(`charts/k2-feed-operator/${path}`);

const values = parse(chartFile('values.yaml')) as Record<string, unknown>;
const meta = parse(chartFile('Chart.yaml')) as Record<string, string> & { annotations: Record<string, string> };
const annotation = (name: string): unknown => parse(meta.annotations[`artifacthub.io/${name}`] ?? '');

describe('the CRD in the chart', () => {
  test('is the CRD of the project, as its generator writes it', () => {
    const isCurrent = read(templatePath) === chartTemplate(read(crdPath));
    expect(isCurrent, `${templatePath} is old: run node scripts/generate-chart-crds.ts`).toBe(true);
  });

  test('cannot be generated from a CRD that the template would change or break', () => {
    const crd = 'kind: X\nmetadata:\n  name: a.b\nspec: {}\n';
    expect(chartTemplate(crd)).toContain('\n  name: a.b\nspec: {}\n{{- end }}\n');
    expect(() => chartTemplate(crd.replace('{}', "'{{ x }}'"))).toThrow("holds '{{'");
    expect(() => chartTemplate(crd.replace('  name', '  labels: {}\n  name'))).toThrow('a name and nothing else');
    expect(() => chartTemplate(crd.replace('spec', '  labels: {}\nspec'))).toThrow('a name and nothing else');
  });
});

describe('the values for everything', () => {
  /** Paths of what is no map, or an empty one. */
  const leaves = (value: unknown, at = ''): string[] =>
    typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0
      ? [at]
      : Object.entries(value).flatMap(([name, child]) => leaves(child, at ? `${at}.${name}` : name));

  test('name every value but those that they exclude', () => {
    const everything = parse(chartFile('ci/everything-values.yaml')) as object;
    const names = leaves(everything);
    const isNamed = (path: string) => names.some((name) => name === path || name.startsWith(`${path}.`));
    expect(leaves(values).filter((path) => !isNamed(path))).toEqual([
      'watchNamespace',
      'rbac.create',
      'rbac.aggregateClusterRoles',
      'serviceAccount.create',
      'serviceAccount.automount',
      'image.registry',
      'image.tag',
      'worker.image.registry',
      'worker.image.repository',
      'worker.image.digest',
      'enabled',
      'nameOverride',
      'namespaceOverride',
      ...leaves(values).filter((path) => /^(resources|podSecurityContext|securityContext)\./.test(path)),
      'livenessProbe.periodSeconds',
      'livenessProbe.timeoutSeconds',
      'readinessProbe.periodSeconds',
      'readinessProbe.timeoutSeconds',
      'leaderElection.enabled',
      'podDisruptionBudget.maxUnavailable',
      'networkPolicy.dns.ports',
    ]);
  });
});

describe('the version', () => {
  test('is one for program, chart, and the images that the chart names', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(meta).toMatchObject({ version, appVersion: version });

    const { image, worker } = values as Record<'image', Record<string, string>> & {
      worker: { image: Record<string, string> };
    };
    const full = (part: Record<string, string>) => `${part.registry}/${part.repository}:${version}`;
    expect(annotation('images')).toEqual([
      { name: 'controller', image: full(image) },
      { name: 'worker', image: full(worker.image) },
    ]);
  });
});

describe('what Artifact Hub shows', () => {
  test('has an example that is the minimal one of examples/', () => {
    expect(annotation('crdsExamples')).toEqual([parse(read('examples/binance.yaml'))]);
  });

  test('names the CRD that the chart brings', () => {
    const crd = parse(read(crdPath)) as {
      metadata: { name: string };
      spec: { names: { kind: string }; versions: { name: string }[] };
    };
    const { name } = crd.metadata;
    const [{ name: version } = { name: '' }] = crd.spec.versions;
    expect(annotation('crds')).toMatchObject([{ kind: crd.spec.names.kind, version, name }]);
  });

  test('has changes of the kinds that it knows, and the license of the project', () => {
    const changes = annotation('changes') as { kind: string; description: string }[];
    expect(changes.length).toBeGreaterThan(0);
    const kinds = ['added', 'changed', 'deprecated', 'removed', 'fixed', 'security'];
    for (const { kind, description } of changes) {
      expect(kinds).toContain(kind);
      expect(description).toMatch(/^[A-Z].*\.$/);
    }
    const { license } = JSON.parse(read('package.json')) as { license: string };
    expect(annotation('license')).toBe(license);
  });
});
