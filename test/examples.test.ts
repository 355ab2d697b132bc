// Every file in examples/ against the CRD's structural schema, as strictly as `kubectl apply` reads it. The CEL rules
// run only in an API server: test/examples.api.test.ts applies them there.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { group, kind, plural, version } from '../api/exchange-feed.ts';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  maxLength?: number;
  pattern?: string;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: string;
}
interface Crd {
  metadata: { name: string };
  spec: {
    group: string;
    names: { kind: string; plural: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

const crd = parse(read('crds/exchange-feed.yaml')) as Crd;
const schema = crd.spec.versions[0]?.schema.openAPIV3Schema ?? {};

const typeOf = (value: unknown) =>
  Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : value === null ? 'null' : typeof value;

/** What the schema does not allow, one line each, by path. Objects without listed properties are free. */
function problems(value: unknown, rule: Schema, at: string): string[] {
  const type = typeOf(value);
  const isText = rule['x-kubernetes-int-or-string'] && (type === 'string' || type === 'integer');
  if (!isText && rule.type && rule.type !== type) return [`${at}: is of type ${type}, not ${rule.type}`];
  if (rule.enum && !rule.enum.includes(value)) return [`${at}: ${value} is none of ${rule.enum.join(', ')}`];
  if (Array.isArray(value)) return listProblems(value, rule, at);
  if (typeof value === 'object' && value !== null) return objectProblems({ ...value }, rule, at);
  const text = String(value);
  return [
    typeof value === 'number' && value < (rule.minimum ?? value) ? `${at}: ${value} is under ${rule.minimum}` : '',
    typeof value === 'number' && value > (rule.maximum ?? value) ? `${at}: ${value} is over ${rule.maximum}` : '',
    text.length > (rule.maxLength ?? text.length) ? `${at}: is longer than ${rule.maxLength}` : '',
    rule.pattern && !new RegExp(rule.pattern).test(text) ? `${at}: ${text} does not match ${rule.pattern}` : '',
  ].filter((problem) => problem !== '');
}

function listProblems(list: unknown[], rule: Schema, at: string): string[] {
  const found = list.flatMap((item, index) => problems(item, rule.items ?? {}, `${at}[${index}]`));
  if (rule['x-kubernetes-list-type'] === 'set' && new Set(list).size < list.length)
    found.push(`${at}: repeats an entry`);
  if (list.length > (rule.maxItems ?? list.length)) found.push(`${at}: has more than ${rule.maxItems} entries`);
  return found;
}

function objectProblems(object: Record<string, unknown>, rule: Schema, at: string): string[] {
  const known = rule.properties;
  const found = (rule.required ?? []).filter((name) => !(name in object)).map((name) => `${at}.${name}: is missing`);
  for (const [name, value] of Object.entries(object)) {
    if (known && !known[name])
      found.push(`${at}.${name}: is not a field; the fields are ${Object.keys(known).join(', ')}`);
    found.push(...problems(value, known?.[name] ?? {}, `${at}.${name}`));
  }
  return found;
}

const files = readdirSync(new URL('examples/', root)).sort();

describe('examples/', () => {
  test('holds ExchangeFeeds of the version that the CRD serves', () => {
    expect(crd.metadata.name).toBe(`${plural}.${group}`);
    expect(crd.spec).toMatchObject({ group, names: { kind, plural }, versions: [{ name: version }] });
    expect(files).toContain('binance.yaml');
  });

  test.each(files)('%s is what the CRD asks for, field by field', (file) => {
    for (const document of parseAllDocuments(read(`examples/${file}`))) {
      expect(document.errors).toEqual([]);
      const feed = document.toJS() as unknown;
      expect(feed).toMatchObject({ apiVersion: `${group}/${version}`, kind });
      expect(problems(feed, schema, kind)).toEqual([]);
    }
  });

  test("holds one file with every field, but for the details of pods' places, which are Kubernetes' own", () => {
    const paths = (of: unknown, at = 'spec'): string[] =>
      typeof of === 'object' && of !== null && !Array.isArray(of)
        ? Object.entries(of).flatMap(([name, below]) => [`${at}.${name}`, ...paths(below, `${at}.${name}`)])
        : [];
    const fields = ({ properties = {} }: Schema, at = 'spec'): string[] =>
      Object.entries(properties).flatMap(([name, below]) => [`${at}.${name}`, ...fields(below, `${at}.${name}`)]);
    const { spec } = parse(read('examples/binance-every-field.yaml')) as { spec: object };
    const wanted = fields(schema.properties?.spec ?? {}).filter((path) => !path.startsWith('spec.worker.affinity.'));
    expect(wanted.length).toBeGreaterThan(40);
    expect(paths(spec)).toEqual(expect.arrayContaining(wanted));
  });

  test('holds one file for the simulator that differs from the minimal feed in its endpoint only', () => {
    const minimal = parse(read('examples/binance.yaml')) as { spec: object };
    const simulated = parse(read('examples/binance-simulated.yaml')) as { spec: { endpoint: object } };
    const { endpoint } = simulated.spec;
    expect(endpoint).toHaveProperty('webSocketUrl');
    expect(simulated).toEqual({ ...minimal, spec: { ...minimal.spec, endpoint } });
  });
});

describe('the check itself', () => {
  const feed = parse(read('examples/binance-custom-topics.yaml')) as { spec: Record<string, unknown> };
  const broken = (spec: Record<string, unknown>) =>
    problems({ ...feed, spec: { ...feed.spec, ...spec } }, schema, 'feed');

  test.each([
    [{ symbol: ['BTCUSDT'] }, 'feed.spec.symbol: is not a field; the fields are exchange, symbols'],
    [{ symbols: 'BTCUSDT' }, 'feed.spec.symbols: is of type string, not array'],
    [{ symbols: ['BTCUSDT', 'BTCUSDT'] }, 'feed.spec.symbols: repeats an entry'],
    [{ exchange: 'binnance' }, 'feed.spec.exchange: binnance is none of'],
    [{ topics: { partitions: 0 } }, 'feed.spec.topics.partitions: 0 is under 1'],
    [{ topics: { partitions: 1001 } }, 'feed.spec.topics.partitions: 1001 is over 1000'],
    [{ topics: { raw: { name: 'x'.repeat(250) } } }, 'feed.spec.topics.raw.name: is longer than'],
  ])('refuses %j', (spec, problem) => {
    expect(broken(spec).join('\n')).toContain(problem);
  });

  test('refuses a feed without its required fields', () => {
    expect(problems({ spec: {} }, schema, 'feed')).toEqual([
      'feed.spec.exchange: is missing',
      'feed.spec.symbols: is missing',
    ]);
  });
});
