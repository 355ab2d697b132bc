// The CRD, the types of it and its reference page are the same thing three times: held equal here.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  conditionTypes,
  deletionPolicies,
  deliveries,
  type ExchangeFeed,
  group,
  kind,
  passingConditionTypes,
  plural,
  states,
  topicContents,
  version,
} from '../../api/exchange-feed.ts';
import type { LabelSelector, NodeSelectorTerm, PodAffinity, PodAffinityTerm } from '../../api/scheduling.ts';
import { exchanges } from '../../worker/exchanges/index.ts';

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  maxItems?: number;
  maxProperties?: number;
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

const secret = { name: '' };
const labelSelector: Full<LabelSelector> = {
  matchLabels: {},
  matchExpressions: [{ key: '', operator: 'In', values: [''] }],
};
const nodeTerm: Full<NodeSelectorTerm> = {
  matchExpressions: [{ key: '', operator: 'In', values: [''] }],
  matchFields: [{ key: '', operator: 'In', values: [''] }],
};
const podTerm: Full<PodAffinityTerm> = {
  topologyKey: '',
  labelSelector,
  matchLabelKeys: [''],
  mismatchLabelKeys: [''],
  namespaces: [''],
  namespaceSelector: labelSelector,
};
const podAffinity: Full<PodAffinity> = {
  requiredDuringSchedulingIgnoredDuringExecution: [podTerm],
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: podTerm }],
};

/** One value for every field: the compiler refuses a field too few or too many. */
const full: Full<Pick<ExchangeFeed, 'spec' | 'status'>> = {
  spec: {
    exchange: '',
    symbols: [''],
    state: 'Running',
    delivery: 'ExactlyOnce',
    shards: 0,
    standbys: 0,
    endpoint: { webSocketUrl: '', restUrl: '' },
    kafka: { bootstrapServers: '', authSecretRef: secret, tls: { caSecretRef: secret, certificateSecretRef: secret } },
    schemaRegistry: { url: '', authSecretRef: secret, tls: { caSecretRef: secret } },
    topics: {
      partitions: 0,
      replicationFactor: 0,
      raw: { name: '', retention: '', config: {} },
      normalized: { name: '', retention: '', config: {} },
    },
    worker: {
      image: '',
      resources: { limits: { cpu: '', memory: '' }, requests: { cpu: '', memory: '' } },
      nodeSelector: {},
      tolerations: [{ key: '', operator: 'Equal', value: '', effect: 'NoExecute', tolerationSeconds: 0 }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: nodeTerm }],
        },
        podAffinity,
        podAntiAffinity: podAffinity,
      },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: '',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector,
          matchLabelKeys: [''],
          minDomains: 1,
          nodeAffinityPolicy: 'Honor',
          nodeTaintsPolicy: 'Honor',
        },
      ],
      priorityClassName: '',
      podAnnotations: {},
      podLabels: {},
    },
    deletionPolicy: 'Retain',
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
    topics: [{ name: '', content: 'Raw', partitions: 0, subject: '', schemaId: 0 }],
    refusedSymbols: [{ symbol: '', message: '' }],
    live: {
      tradesPerSecond: 0,
      lastTradeTime: '',
      completeness: '',
      completenessSinceStart: '',
      gaps: 0,
      missing: 0,
      repaired: 0,
      duplicates: 0,
    },
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

  test('knows exactly the words that controller and workers know', () => {
    const words = (path: string) => [...spec, ...status].find(([at]) => at === path)?.[1].enum;
    expect(words('spec.state')).toEqual([...states]);
    expect(words('spec.delivery')).toEqual([...deliveries]);
    expect(words('spec.deletionPolicy')).toEqual([...deletionPolicies]);
    expect(words('status.topics[].content')).toEqual([...topicContents]);
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

  test('bounds every list, map, string and number that a user gives', () => {
    for (const [path, { type, items, additionalProperties, maxItems, maxProperties, maxLength, maximum }] of spec) {
      const inner = items ?? additionalProperties;
      if (type === 'array') expect(maxItems, path).toEqual(expect.any(Number));
      if (additionalProperties) expect(maxProperties, path).toEqual(expect.any(Number));
      if (inner?.type === 'string') expect(inner.maxLength, path).toEqual(expect.any(Number));
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
      'spec.state': 'Running',
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
      'spec.deletionPolicy': 'Retain',
    });
  });

  test('shows a column of a condition only if there is such a condition', () => {
    const paths: string[] = served.additionalPrinterColumns.map(({ jsonPath }: { jsonPath: string }) => jsonPath);
    const named = paths.flatMap((path) => /@\.type=="(\w+)"/.exec(path)?.[1] ?? []);
    expect(named.length).toBeGreaterThan(0);
    expect([...conditionTypes, ...passingConditionTypes]).toEqual(expect.arrayContaining(named));
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
  expect(rows.toSorted()).toEqual(wanted.toSorted());
});
