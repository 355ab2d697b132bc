// The CRD, the types of it and its reference page are the same thing three times: held equal here.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  conditionTypes,
  deliveries,
  type ExchangeFeed,
  group,
  kind,
  plural,
  version,
} from '../../api/exchange-feed.ts';
import { exchanges } from '../../worker/exchanges/index.ts';

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  maxItems?: number;
  maxLength?: number;
  maximum?: number;
  format?: string;
  'x-kubernetes-validations'?: { message?: string; messageExpression?: string }[];
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const crd = parse(read('crds/exchange-feed.yaml'));
const [served] = crd.spec.versions;
const root: Schema = served.schema.openAPIV3Schema;

/** Every property below a schema, by path; `[]` stands for the items of a list. */
function propertiesOf(schema: Schema, path: string): [path: string, property: Schema, required: boolean][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const at = `${path}.${name}`;
    const below = [...propertiesOf(property, at), ...propertiesOf(property.items ?? {}, `${at}[]`)];
    return [[at, property, (schema.required ?? []).includes(name)], ...below];
  });
}
const spec = propertiesOf(root.properties?.spec ?? {}, 'spec');
const status = propertiesOf(root.properties?.status ?? {}, 'status');

type Full<T> = T extends (infer Item)[]
  ? Full<Item>[]
  : T extends object
    ? { [Field in keyof T]-?: Full<T[Field]> }
    : T;

/** One value for every field: the compiler refuses a field too few or too many. */
const full: Full<Pick<ExchangeFeed, 'spec' | 'status'>> = {
  spec: {
    exchange: '',
    symbols: [''],
    delivery: 'ExactlyOnce',
    shards: 0,
    standbys: 0,
    endpoint: { webSocketUrl: '', restUrl: '' },
    kafka: { bootstrapServers: '' },
    schemaRegistry: { url: '' },
    topics: {
      partitions: 0,
      replicationFactor: 0,
      raw: { name: '', retention: '' },
      normalized: { name: '', retention: '' },
    },
    worker: { image: '', resources: { limits: { cpu: '', memory: '' }, requests: { cpu: '', memory: '' } } },
  },
  status: {
    observedGeneration: 0,
    conditions: [
      { type: 'Ready', status: 'True', reason: '', message: '', observedGeneration: 0, lastTransitionTime: '' },
    ],
    symbols: 0,
    workers: '',
    shards: 0,
    selector: '',
    topics: [{ name: '', partitions: 0, subject: '', schemaId: 0 }],
    refusedSymbols: [{ symbol: '', message: '' }],
    live: { tradesPerSecond: 0, lastTradeTime: '', completeness: '', gaps: 0 },
  },
};

function pathsOf(value: object, path: string): string[] {
  return Object.entries(value).flatMap(([field, below]: [string, unknown]) => {
    const at = `${path}.${field}`;
    const [item] = Array.isArray(below) ? below : [];
    if (typeof item === 'object') return [at, ...pathsOf(item, `${at}[]`)];
    return typeof below === 'object' && below !== null && !Array.isArray(below) ? [at, ...pathsOf(below, at)] : [at];
  });
}

describe('the CRD', () => {
  test('has the names that the programs use', () => {
    expect([crd.metadata.name, crd.spec.group, crd.spec.names.kind, crd.spec.names.plural, served.name]).toEqual([
      `${plural}.${group}`,
      group,
      kind,
      plural,
      version,
    ]);
  });

  test('has exactly the fields of the types', () => {
    expect(spec.map(([path]) => path)).toEqual(pathsOf(full.spec, 'spec'));
    expect(status.map(([path]) => path)).toEqual(pathsOf(full.status, 'status'));
  });

  test('knows exactly the exchanges that workers know', () => {
    expect(root.properties?.spec?.properties?.exchange?.enum).toEqual(Object.keys(exchanges));
  });

  test('knows exactly the deliveries that controller and workers know', () => {
    expect(root.properties?.spec?.properties?.delivery?.enum).toEqual([...deliveries]);
  });

  test('is scaled by its shards, with paths that exist', () => {
    const { specReplicasPath, statusReplicasPath, labelSelectorPath } = served.subresources.scale;
    const paths = [...spec, ...status].map(([path]) => `.${path}`);
    for (const path of [specReplicasPath, statusReplicasPath, labelSelectorPath]) expect(paths).toContain(path);
    expect(specReplicasPath).toBe('.spec.shards');
  });

  test('describes every field in a sentence', () => {
    for (const [path, { description }] of [...spec, ...status]) expect(description, path).toMatch(/^[A-Z0-9].*\.$/);
  });

  test('bounds every list, string and number that a user gives', () => {
    for (const [path, { type, items, maxItems, maxLength, maximum }] of spec) {
      if (type === 'array')
        expect([maxItems, items?.maxLength], path).toEqual([expect.any(Number), expect.any(Number)]);
      if (type === 'string') expect(maxLength, path).toEqual(expect.any(Number));
      if (type === 'integer') expect(maximum, path).toEqual(expect.any(Number));
    }
  });

  test('has a sentence for every rule that can refuse a feed', () => {
    const rules = [root, root.properties?.spec ?? {}, ...spec.map(([, property]) => property)].flatMap((schema) => [
      ...(schema['x-kubernetes-validations'] ?? []),
      ...(schema.items?.['x-kubernetes-validations'] ?? []),
    ]);
    expect(rules.length).toBeGreaterThan(10);
    for (const { message, messageExpression } of rules)
      expect((message ?? messageExpression ?? '').length).toBeGreaterThan(20);
  });

  test('fills in what the type never lacks', () => {
    const defaults = Object.fromEntries(
      spec.filter(([, it]) => it.default !== undefined).map(([at, it]) => [at, it.default]),
    );
    expect(defaults).toEqual({
      'spec.delivery': 'ExactlyOnce',
      'spec.shards': 1,
      'spec.standbys': 0,
      'spec.topics': {},
      'spec.topics.partitions': 3,
      'spec.topics.replicationFactor': 1,
      'spec.topics.raw': {},
      'spec.topics.raw.retention': '168h',
      'spec.topics.normalized': {},
      'spec.topics.normalized.retention': '48h',
    });
  });

  test('shows a column of a condition only if there is such a condition', () => {
    const paths: string[] = served.additionalPrinterColumns.map(({ jsonPath }: { jsonPath: string }) => jsonPath);
    const named = paths.flatMap((path) => /@\.type=="(\w+)"/.exec(path)?.[1] ?? []);
    expect(named.length).toBeGreaterThan(0);
    expect(conditionTypes).toEqual(expect.arrayContaining(named));
  });
});

test('the reference lists exactly the fields there are, with default and description', () => {
  const rows = read('docs/reference/exchange-feed.md')
    .split('\n')
    .filter((line) => /^\| `(spec|status)\./.test(line));
  const wanted = [...spec, ...status].map(([path, { description = '', default: preset }, required]) => {
    const isGiven = required && path.startsWith('spec');
    const fallback = preset === undefined || typeof preset === 'object' ? '' : `\`${preset}\``;
    return `| \`${path}\` | ${isGiven ? 'required' : fallback} | ${description.replaceAll('<', '\\<')} |`.replace(
      '|  |',
      '| |',
    );
  });
  expect(rows).toEqual(wanted);
});
