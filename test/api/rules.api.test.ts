// The CRD's rules in a real API server: each refuses what it must, in one message that names field, value and what
// would be right, and lets pass what it should.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { KubeError } from '../../controller/kube/errors.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { ControlPlane } from '../services/control-plane.ts';

const feeds = '/apis/feeds.k2.dev/v1alpha1/namespaces/default/exchangefeeds';
const dryRun = { dryRun: 'All', fieldValidation: 'Strict' };

let plane: ControlPlane;
let transport: Transport;
/** All that was refused, in the API server's words. */
const refused: string[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  transport = createTransport(plane.kubeConfig, { userAgent: 'rules-test' });
});

afterAll(async () => {
  await transport?.close();
  await plane?.close();
});

type Spec = Record<string, unknown>;

const minimal = { exchange: 'binance', symbols: ['BTCUSDT'] };
const feedOf = (spec: Spec, name = 'feed') => ({
  apiVersion: 'feeds.k2.dev/v1alpha1',
  kind: 'ExchangeFeed',
  metadata: { name, namespace: 'default' },
  spec: { ...minimal, ...spec },
});

/** What the API server says of a request that it must refuse. */
async function refusalOf(request: Promise<unknown>): Promise<string> {
  const error = await request.then(
    () => new Error('was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof KubeError)) throw error;
  refused.push(error.message);
  return error.message;
}

const create = (feed: object, query: Record<string, string> = dryRun) =>
  transport.request('POST', feeds, { query, body: feed });

// Kubernetes adds it to an error in a value's type or enumeration: it is no second mistake.
const unchecked = /is invalid: \[(.*), <nil>: .* some validation rules were not checked because .*\]$/;

/** @param words what the message holds after the field; a list of messages would begin with `[` */
function expectOne(said: string, field: string, ...words: string[]): void {
  const message = said.replace(unchecked, 'is invalid: $1');
  expect(message).toContain(`is invalid: ${field}: `);
  for (const word of words) expect(message).toContain(word);
}

const quantity = (value: unknown, of = 'cpu') => ({ worker: { resources: { limits: { [of]: value } } } });
const rolloutRestart = 'kubectl.kubernetes.io/restartedAt';
const annotations = (name: string) => ({ worker: { podAnnotations: { [name]: '' } } });
const labels = (podLabels: object) => ({ worker: { podLabels } });
const raw = (topic: object) => ({ topics: { raw: topic } });
const config = (settings: object) => raw({ config: settings });
const secret = (name: string) => ({ kafka: { authSecretRef: { name } } });

describe('a new feed is refused in one message', () => {
  test.each<[spec: Spec, field: string, words: string[]]>([
    [{ exchange: 'binnance' }, 'spec.exchange', ['"binnance"', '"binance"', '"kraken"']],
    [{ symbols: [] }, 'spec.symbols', ['symbols is empty', '["BTCUSDT"]']],
    [{ symbols: ['BTC USDT'] }, 'spec.symbols[0]', ['"BTC USDT" is not a symbol', 'space or comma']],
    [{ symbols: ['BTCUSDT,ETHUSDT'] }, 'spec.symbols[0]', ['"BTCUSDT,ETHUSDT"', 'one list entry for each symbol']],
    [{ symbols: ['A', 'A'] }, 'spec.symbols[1]', ['Duplicate value: "A"']],
    [{ symbols: ['ETHUSDT', 'btcusdt'] }, 'spec.symbols', ['"btcusdt"', 'Binance', '"BTCUSDT"']],
    [{ exchange: 'bybit', symbols: ['BTC-USDT'] }, 'spec.symbols', ['"BTC-USDT"', 'Bybit', '"BTCUSDT"']],
    [{ exchange: 'coinbase', symbols: ['BTCUSD'] }, 'spec.symbols', ['"BTCUSD"', 'Coinbase', '"BTC-USD"']],
    [{ exchange: 'coinbase-advanced', symbols: ['BTC/USD'] }, 'spec.symbols', ['"BTC/USD"', 'Coinbase']],
    [{ exchange: 'okx', symbols: ['BTCUSDT'] }, 'spec.symbols', ['"BTCUSDT"', 'OKX']],
    [{ exchange: 'kraken', symbols: ['XBT/USD'] }, 'spec.symbols', ['"XBT/USD"', 'Kraken', 'BTC for XBT']],
    [{ state: 'Stopped' }, 'spec.state', ['"Stopped"', '"Running", "Paused"']],
    [{ delivery: 'exactlyOnce' }, 'spec.delivery', ['"exactlyOnce"', '"ExactlyOnce", "AtLeastOnce"']],
    [{ deletionPolicy: 'Remove' }, 'spec.deletionPolicy', ['"Remove"', '"Retain", "Delete"']],
    [{ shards: 2 }, 'spec.shards', ['shards is more than 1, the number of symbols']],
    [{ shards: 0 }, 'spec.shards', ['should be greater than or equal to 1']],
    [{ standbys: 2 }, 'spec.standbys', ['should be less than or equal to 1']],
    [{ delivery: 'AtLeastOnce', standbys: 1 }, 'spec.standbys', ['needs delivery ExactlyOnce']],
    [{ endpoint: { webSocketUrl: 'https://a' } }, 'spec.endpoint.webSocketUrl', ['"https://a"', 'use ws:// or wss://']],
    [{ endpoint: { restUrl: 'api.binance.com' } }, 'spec.endpoint.restUrl', ['"api.binance.com"', 'use http://']],
    [
      { kafka: { bootstrapServers: 'a' } },
      'spec.kafka.bootstrapServers',
      ['"a" is not a list of brokers', 'host:port'],
    ],
    [secret('Kafka_User'), 'spec.kafka.authSecretRef.name', ['"Kafka_User"', '"kafka-user"']],
    [{ kafka: { tls: { caSecretRef: {} } } }, 'spec.kafka.tls.caSecretRef.name', ['Required value']],
    [{ schemaRegistry: { url: 'redpanda:8081' } }, 'spec.schemaRegistry.url', ['"redpanda:8081"', 'use http://']],
    [{ schemaRegistry: { url: 'http://a', tls: {} } }, 'spec.schemaRegistry.url', ['"http://a"', 'use https://']],
    [raw({ name: 'a b' }), 'spec.topics.raw.name', ['"a b" is not a topic name', '"trades.binance"']],
    [raw({ name: 'market.crypto.cursors.x' }), 'spec.topics.raw.name', ['a name for cursors', 'compacted']],
    [raw({ name: 'market.crypto.trades.binance' }), 'spec.topics', ['the same topic']],
    [{ topics: { raw: { name: 'a' }, normalized: { name: 'a.dlq' } } }, 'spec.topics', ['dead letters']],
    [raw({ retention: '7d' }), 'spec.topics.raw.retention', ['"7d" is not a duration', '"168h"']],
    [raw({ retention: '30s' }), 'spec.topics.raw.retention', ['"30s" is out of range', '1m']],
    [config({ 'retention.ms': '1' }), 'spec.topics.raw.config', ['retention.ms', '"168h"']],
    [config({ 'retention.ms': null }), 'spec.topics.raw.config', ['retention.ms', '"168h"']],
    [config({ 'cleanup.policy': 'delete,compact' }), 'spec.topics.raw.config', ['cleanup.policy', '"delete"']],
    [config({ 'max.message.bytes': '1000' }), 'spec.topics.raw.config', ['max.message.bytes', '"1048576"']],
    [config({ 'max.message.bytes': '1M' }), 'spec.topics.raw.config', ['max.message.bytes', '"1048576"']],
    [config({ 'unclean.leader.election.enable': 'true' }), 'spec.topics.raw.config', ['loses trades', '"false"']],
    [config({ 'segment.bytes': 1 }), 'spec.topics.raw.config.segment.bytes', ['string', 'integer']],
    [config({ 'min.insync.replicas': '2' }), 'spec.topics.raw.config', ['min.insync.replicas', 'replicationFactor']],
    [
      { topics: { replicationFactor: 3, normalized: { config: { 'min.insync.replicas': '4' } } } },
      'spec.topics.normalized.config',
      ['min.insync.replicas', '"2" of 3'],
    ],
    [{ topics: { partitions: 0 } }, 'spec.topics.partitions', ['greater than or equal to 1']],
    [{ topics: { replicationFactor: 10 } }, 'spec.topics.replicationFactor', ['less than or equal to 9']],
    [quantity('1 core'), 'spec.worker.resources.limits.cpu', ['not a quantity above 0', '"500m"']],
    [quantity('512MB', 'memory'), 'spec.worker.resources.limits.memory', ['not a quantity above 0', '"512Mi"']],
    [quantity(0), 'spec.worker.resources.limits.cpu', ['not a quantity above 0', '"500m"']],
    [annotations('feeds.k2.dev/a'), 'spec.worker.podAnnotations', ['"feeds.k2.dev/a"', 'use another name']],
    [annotations(rolloutRestart), 'spec.worker.podAnnotations', [rolloutRestart, 'feeds.k2.dev/restart']],
    [labels({ 'feeds.k2.dev/shard': '1' }), 'spec.worker.podLabels', ['"feeds.k2.dev/shard"', 'use another name']],
    [labels({ 'app.kubernetes.io/name': 'a' }), 'spec.worker.podLabels', ['"app.kubernetes.io/name"']],
    [labels({ team: 'market data' }), 'spec.worker.podLabels', ['"market data"', '"market-data"']],
  ])('%j', async (spec, field, words) => {
    expectOne(await refusalOf(create(feedOf(spec))), field, ...words);
  });

  test.each(['my.feed', 'a'.repeat(51)])('the name %s', async (name) => {
    const message = await refusalOf(create(feedOf({}, name)));
    expectOne(message, '<nil>', `metadata.name "${name}"`, 'at most 50 lower-case letters');
  });
});

describe('a new feed is taken', () => {
  test.each<[Spec]>([
    [{ exchange: 'kraken', symbols: ['AAPLx/USD', 'BTC/USD'] }],
    [{ kafka: { tls: {} }, schemaRegistry: { tls: {} } }],
    [{ topics: { replicationFactor: 3, normalized: { config: { 'min.insync.replicas': '2' } } } }],
    [config({ 'cleanup.policy': 'delete', 'max.message.bytes': '2097152', 'segment.bytes': null })],
    [config({ 'cleanup.policy': null, 'max.message.bytes': null, 'min.insync.replicas': null })],
    [{ worker: { tolerations: [{ operator: 'Exists' }], topologySpreadConstraints: [] } }],
    [quantity(1)],
  ])('%j', async (spec) => {
    await expect(create(feedOf(spec))).resolves.toMatchObject({ spec });
  });
});

describe('a feed that exists', () => {
  const name = 'existing';
  const before = {
    symbols: ['BTCUSDT', 'ETHUSDT'],
    delivery: 'AtLeastOnce',
    topics: { partitions: 3, raw: { name: 'a' }, normalized: {} },
  };
  const change = (spec: Spec) =>
    transport.request('PATCH', `${feeds}/${name}`, {
      query: dryRun,
      contentType: 'application/merge-patch+json',
      body: { spec },
    });

  beforeAll(async () => {
    await create(feedOf(before, name), {});
  });

  test.each<[spec: Spec, field: string, words: string[]]>([
    [{ exchange: 'bybit' }, 'spec.exchange', ['from "binance" to "bybit"', 'make a new ExchangeFeed']],
    [{ delivery: 'ExactlyOnce' }, 'spec.delivery', ['cannot change to ExactlyOnce', 'make a new ExchangeFeed']],
    [{ topics: { partitions: 2 } }, 'spec.topics.partitions', ['partitions can only grow']],
    [{ topics: { partitions: null, raw: { name: 'b' } } }, 'spec.topics.raw.name', ['from "a" to "b"']],
    [{ topics: { raw: { name: null } } }, 'spec.topics.raw', ['cannot be added or removed later']],
    [{ topics: { raw: null } }, 'spec.topics.raw', ['cannot be added or removed later']],
    [{ topics: null }, 'spec.topics.raw', ['cannot be added or removed later']],
    [{ topics: { normalized: { name: 'c' } } }, 'spec.topics.normalized', ['cannot be added or removed later']],
    [{ shards: 3 }, 'spec.shards', ['shards is more than 2']],
  ])('is not changed by %j', async (spec, field, words) => {
    expectOne(await refusalOf(change(spec)), field, ...words);
  });

  test.each<[Spec]>([
    [{ symbols: ['SOLUSDT'] }],
    [
      {
        topics: {
          partitions: 4,
          replicationFactor: 3,
          raw: { retention: '1h', config: { 'segment.bytes': '1048576' } },
        },
      },
    ],
    [{ state: 'Paused', deletionPolicy: 'Delete' }],
    [{ kafka: { bootstrapServers: 'b:9092', authSecretRef: { name: 'user' } } }],
    [{ worker: { nodeSelector: { disk: 'ssd' } } }],
  ])('is changed by %j', async (spec) => {
    await expect(change(spec)).resolves.toMatchObject({ spec });
  });

  test('may lower its delivery', async () => {
    await create(feedOf({}, 'once'), {});
    const body = { spec: { delivery: 'AtLeastOnce' } };
    const patch = { query: dryRun, contentType: 'application/merge-patch+json', body };
    await expect(transport.request('PATCH', `${feeds}/once`, patch)).resolves.toMatchObject(body);
  });
});

interface Rule {
  message?: string;
  messageExpression?: string;
}

/** Every rule of a schema and of what is below it. */
function rulesOf(schema: unknown): Rule[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, below]) =>
    name === 'x-kubernetes-validations' ? (below as Rule[]) : rulesOf(below),
  );
}

/** The longest text that a rule's message surely has. */
const wordsOf = ({ message, messageExpression = '' }: Rule): string =>
  [...messageExpression.matchAll(/'([^']*)'/g)]
    .map(([, text = '']) => text)
    .concat(messageExpression ? [] : (message ?? ''))
    .toSorted((a, b) => b.length - a.length)[0] ?? '';

test('every rule has refused something above', () => {
  const crd: unknown = parse(readFileSync(new URL('../../crds/exchange-feed.yaml', import.meta.url), 'utf8'));
  const rules = rulesOf(crd);
  expect(rules.length).toBeGreaterThan(30);
  const idle = rules.map(wordsOf).filter((words) => !refused.some((message) => message.includes(words)));
  expect(idle).toEqual([]);
});
