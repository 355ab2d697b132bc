// What a feed may say about its pods; and that an upgrade of the controller replaces no worker for nothing, since each
// replacement connects to the exchange anew and hands a feed over.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type ExchangeFeed,
  type ExchangeFeedSpec,
  restartAnnotation,
  type WorkerSpec,
} from '../../api/exchange-feed.ts';
import { desire } from '../../controller/desired.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
}

const deploymentOf = (feed: ExchangeFeed, own = config) => desire(feed, own, schemas).workload.deployments[0]?.spec;
const templateOf = (feed: ExchangeFeed, own = config) => deploymentOf(feed, own)?.template as PodTemplate;
const withWorker = (worker: WorkerSpec) => sampleFeed({ worker });
const annotated = (annotations: Record<string, string>): ExchangeFeed => {
  const feed = sampleFeed();
  return { ...feed, metadata: { ...feed.metadata, annotations } };
};

const file = 'pod-templates.json';
const recorded = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Record<string, unknown>;
const whatToThinkAbout = `The pod template is not the recorded one, so upgrading the controller would replace the
workers of every feed at once. If a field can be left out for the feeds that do not ask for it, leave it out. If all
workers must really be replaced, record the new template in test/controller/${file}, and say so in CHANGELOG.md under
"Changed".`;

const everything = sampleFeed({
  symbols: ['ETHUSDT', 'BTCUSDT', 'BNBUSDT'],
  shards: 2,
  standbys: 1,
  endpoint: { webSocketUrl: 'wss://stream.example.com:9443', restUrl: 'https://api.example.com' },
  kafka: { bootstrapServers: 'kafka-0:9092,kafka-1:9092' },
  schemaRegistry: { url: 'http://registry:8081' },
  worker: { image: 'own/worker:2', resources: { limits: { cpu: 1 }, requests: { memory: '256Mi' } } },
});

describe('an upgrade of the controller replaces no worker', () => {
  const text = (feed: ExchangeFeed, own = config) => JSON.stringify(templateOf(feed, own));

  test.each([
    ['minimal', sampleFeed()],
    ['everything', everything],
  ])('of a feed as it was recorded: %s', (name, feed) => {
    expect(text(feed), whatToThinkAbout).toBe(JSON.stringify(recorded[name]));
  });

  test('although its own configuration is another one in everything but what workers run', () => {
    const other = { ...config, httpPort: 9090, logLevel: 'debug', watchNamespace: 'market-data' } as const;
    expect(text(sampleFeed(), other), whatToThinkAbout).toBe(JSON.stringify(recorded.minimal));
  });

  test.each<[string, Partial<ExchangeFeedSpec>]>([
    ['an empty endpoint', { endpoint: {} }],
    ['an empty broker and registry', { kafka: {}, schemaRegistry: {} }],
    ['an empty worker', { worker: {} }],
    ['empty scheduling fields', { worker: { nodeSelector: {}, tolerations: [], affinity: {}, priorityClassName: '' } }],
    ['no labels and annotations', { worker: { podAnnotations: {}, podLabels: {} } }],
    ['a standby', { standbys: 1 }],
    ['a pause', { state: 'Paused' }],
    ['another deletion policy', { deletionPolicy: 'Delete' }],
  ])('because a feed gets %s', (_, changes) => {
    expect(text(sampleFeed(changes)), whatToThinkAbout).toBe(JSON.stringify(recorded.minimal));
  });

  test.each([
    ['of somebody else', { 'example.com/team': 'a' }],
    ['that pauses its reconciliation', { 'feeds.k2.dev/pause-reconciliation': 'true' }],
  ])('because a feed gets an annotation %s', (_, annotations) => {
    expect(text(annotated(annotations)), whatToThinkAbout).toBe(JSON.stringify(recorded.minimal));
  });
});

describe("a feed's pods", () => {
  test('are placed as the feed says', () => {
    const worker: WorkerSpec = {
      nodeSelector: { 'kubernetes.io/arch': 'amd64' },
      tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'market-data', effect: 'NoSchedule' }],
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } },
      priorityClassName: 'market-data',
    };
    expect(templateOf(withWorker(worker)).spec).toMatchObject(worker);
  });

  test('are spread over nodes by default, as the feed says instead, or not at all', () => {
    const spread = (worker: WorkerSpec) => templateOf(withWorker(worker)).spec.topologySpreadConstraints;
    const own = { labelSelector: { matchLabels: { 'feeds.k2.dev/feed': 'binance', 'feeds.k2.dev/shard': '0' } } };
    const zone = {
      maxSkew: 2,
      topologyKey: 'topology.kubernetes.io/zone',
      whenUnsatisfiable: 'DoNotSchedule',
    } as const;
    expect(spread({})).toMatchObject([{ topologyKey: 'kubernetes.io/hostname', ...own }]);
    expect(spread({ topologySpreadConstraints: [zone] })).toEqual([
      { ...zone, ...own, matchLabelKeys: ['pod-template-hash'] },
    ]);
    const all = { ...zone, labelSelector: { matchLabels: { 'feeds.k2.dev/feed': 'binance' } } };
    expect(spread({ topologySpreadConstraints: [all] })).toEqual([all]);
    expect(spread({ topologySpreadConstraints: [] })).toBeUndefined();
  });

  test('have labels and annotations of the feed beside those of the operator, which selectors still find', () => {
    const plain = templateOf(sampleFeed()).metadata;
    const feed = withWorker({ podLabels: { team: 'a' }, podAnnotations: { 'prometheus.io/scrape': 'true' } });
    expect(templateOf(feed).metadata).toEqual({
      labels: { ...plain.labels, team: 'a' },
      annotations: { 'prometheus.io/scrape': 'true' },
    });
    expect(deploymentOf(feed)?.selector).toEqual(deploymentOf(sampleFeed())?.selector);
  });

  test.each<[string, WorkerSpec]>([
    ['worker.podLabels has the key "feeds.k2.dev/shard"', { podLabels: { 'feeds.k2.dev/shard': '7' } }],
    ['worker.podLabels has the key "feeds.k2.dev/new"', { podLabels: { a: 'b', 'feeds.k2.dev/new': '' } }],
    ['worker.podLabels has the key "app.kubernetes.io/name"', { podLabels: { 'app.kubernetes.io/name': 'x' } }],
    ['worker.podLabels has the key "pod-template-hash"', { podLabels: { 'pod-template-hash': 'x' } }],
    ['worker.podAnnotations has the key "feeds.k2.dev/restart"', { podAnnotations: { 'feeds.k2.dev/restart': '1' } }],
    [
      'worker.podAnnotations has the key "kubectl.kubernetes.io/restartedAt"',
      { podAnnotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' } },
    ],
  ])("cannot take a key that is the operator's or kubectl's: %s", (words, worker) => {
    expect(() => templateOf(withWorker(worker))).toThrow(words);
  });

  test('are replaced when the annotation for a restart gets another value', () => {
    const first = templateOf(annotated({ [restartAnnotation]: '1' }));
    expect(first.metadata.annotations).toEqual({ [restartAnnotation]: '1' });
    expect(templateOf(annotated({ [restartAnnotation]: '2' }))).not.toEqual(first);
  });
});
