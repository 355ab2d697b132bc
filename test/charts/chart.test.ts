// What the chart's files promise about each other and about the rest of the project; needs no helm.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartTemplate, crdPath, templatePath } from '../../scripts/generate-chart-crds.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const chartFile = (path: string) => read(`charts/k2-feed-operator/${path}`);

interface Schema {
  $ref?: string;
  type?: string;
  description?: string;
  additionalProperties?: unknown;
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

const schema = JSON.parse(chartFile('values.schema.json')) as Schema;
const values = parse(chartFile('values.yaml')) as Record<string, unknown>;

function resolve(part: Schema): Schema {
  return part.$ref ? (schema.definitions?.[part.$ref.replace('#/definitions/', '')] ?? {}) : part;
}

/** Every value as `worker.image.tag`, whether values.yaml or the schema names it. */
function names(at: string, part: Schema): string[] {
  const properties = Object.entries(resolve(part).properties ?? {});
  return properties.flatMap(([name, child]) => [`${at}${name}`, ...names(`${at}${name}.`, child)]);
}

function valueNames(at: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, child]) => [`${at}${name}`, ...valueNames(`${at}${name}.`, child)]);
}

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

describe('the values', () => {
  test('and their schema name the same values', () => {
    const inSchema = names('', schema).filter((name) => name !== 'global');
    // Quantities by resource name are free in the schema.
    const inValues = valueNames('', values).filter((name) => !/^resources\.\w+\./.test(name));
    expect(inValues.sort()).toEqual(inSchema.sort());
  });

  test('are refused by the schema where their name is unknown, at every level', () => {
    const open: string[] = [];
    const walk = (at: string, part: Schema): void => {
      if (part.properties && part.additionalProperties !== false) open.push(at);
      for (const [name, child] of Object.entries(part.properties ?? {})) walk(`${at}/${name}`, resolve(child));
    };
    walk('', schema);
    expect(open).toEqual([]);
  });

  test('are each described, in the schema and by a comment in values.yaml', () => {
    const undescribed = Object.entries(schema.properties ?? {}).filter(([, part]) => !part.description);
    expect(undescribed.map(([name]) => name)).toEqual([]);
    // The resources are one value in the shape that Kubernetes gives it.
    const lines = chartFile('values.yaml')
      .replace(/(?<=^resources:\n)( +.*\n)+/m, '')
      .split('\n');
    const isComment = (line = '') => line.trimStart().startsWith('#');
    // Above a value; for a group of values, below its name, too.
    const isDescribed = (at: number) =>
      isComment(lines[at - 1]) || (/:$/.test(lines[at] ?? '') && isComment(lines[at + 1]));
    const bare = lines.filter((line, at) => /^ *\w+:/.test(line) && !isDescribed(at));
    expect(bare).toEqual([]);
  });
});

describe('the version', () => {
  test('is one for program, chart, and the images that the chart names', () => {
    const meta = parse(chartFile('Chart.yaml')) as Record<string, string> & { annotations: Record<string, string> };
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(meta).toMatchObject({ version, appVersion: version });

    const { image, worker } = values as Record<'image', Record<string, string>> & {
      worker: { image: Record<string, string> };
    };
    const full = (part: Record<string, string>) => `${part.registry}/${part.repository}:${version}`;
    expect(parse(meta.annotations['artifacthub.io/images'] ?? '')).toEqual([
      { name: 'controller', image: full(image) },
      { name: 'worker', image: full(worker.image) },
    ]);
  });

  test('has an example in the chart that is the minimal one of examples/', () => {
    const meta = parse(chartFile('Chart.yaml')) as { annotations: Record<string, string> };
    expect(parse(meta.annotations['artifacthub.io/crdsExamples'] ?? '')).toEqual([
      parse(read('examples/binance.yaml')),
    ]);
  });
});
