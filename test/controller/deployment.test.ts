import { describe, expect, test } from 'vitest';
import { parseWorkerConfig, variables } from '../../api/worker-config.ts';
import { appliedAnnotation } from '../../controller/deployment.ts';
import { desire } from '../../controller/desired.ts';
import { type Deployment, feedLabel, shardLabel } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

interface PodTemplate {
  metadata: { labels: Record<string, string> };
  spec: { containers: [Record<string, unknown> & { env: { name: string; value?: string; valueFrom?: unknown }[] }] };
}

function deploymentOf(feed = sampleFeed(), own = config, shard = 0): Deployment {
  const deployment = desire(feed, own, schemas).workload.deployments[shard];
  if (deployment === undefined) throw new Error(`no shard ${shard} is desired`);
  return deployment;
}
const template = (deployment: Deployment) => deployment.spec.template as PodTemplate;
const container = (deployment: Deployment) => template(deployment).spec.containers[0];
const environment = (deployment: Deployment) =>
  Object.fromEntries(container(deployment).env.map(({ name, value }) => [name, value]));

describe("the workers' Deployment", () => {
  test('is named after feed and shard, and belongs to the feed', () => {
    const { metadata } = deploymentOf();
    expect(metadata).toMatchObject({ name: 'binance-0', namespace: 'market-data' });
    expect(metadata.ownerReferences).toEqual([
      {
        apiVersion: 'feeds.k2.dev/v1alpha1',
        kind: 'ExchangeFeed',
        name: 'binance',
        uid: 'c0ffee',
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
  });

  test('gives the worker a configuration that the worker accepts', () => {
    const feed = sampleFeed({ endpoint: { webSocketUrl: 'ws://simulator:8080', restUrl: 'http://simulator:8080' } });
    expect(parseWorkerConfig(environment(deploymentOf(feed)))).toEqual({
      exchange: 'binance',
      symbols: ['BTCUSDT', 'ETHUSDT'],
      delivery: 'ExactlyOnce',
      feed: 'market-data/binance',
      shard: 0,
      instance: undefined,
      bootstrapServers: ['redpanda-0:9092', 'redpanda-1:9092'],
      kafkaTls: false,
      kafkaAuthPath: undefined,
      kafkaCaPath: undefined,
      kafkaCertificatePath: undefined,
      schemaRegistryUrl: 'http://redpanda:8081',
      registryAuthPath: undefined,
      registryCaPath: undefined,
      topicRaw: 'market.crypto.trades.binance.raw',
      topicNormalized: 'market.crypto.trades.binance',
      topicDeadLetter: 'market.crypto.trades.binance.raw.dlq',
      topicCursors: 'market.crypto.cursors.binance',
      schemaPath: 'schemas',
      webSocketUrl: 'ws://simulator:8080',
      restUrl: 'http://simulator:8080',
      httpPort: 8080,
      logLevel: 'info',
    });
  });

  test("tells the worker its pod's uid, which a restarted container has in common with the one before", () => {
    const { env } = container(deploymentOf());
    const { name } = variables.instance;
    expect(env).toContainEqual({ name, valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } });
  });

  test('names no topic of cursors to a worker that writes at least once', () => {
    const environmentOf = environment(deploymentOf(sampleFeed({ delivery: 'AtLeastOnce' })));
    expect(environmentOf[variables.delivery.name]).toBe('AtLeastOnce');
    expect(environmentOf).not.toHaveProperty(variables.topicCursors.name);
  });

  test('gives each shard its own symbols, number, labels and selector', () => {
    const feed = sampleFeed({ symbols: ['A', 'B', 'C'], shards: 2 });
    const both = [0, 1].map((shard) => deploymentOf(feed, config, shard));
    const symbols = both.flatMap((it) => environment(it)[variables.symbols.name]?.split(',') ?? []);
    expect(symbols.sort()).toEqual(['A', 'B', 'C']);
    expect(both.map((it) => environment(it)[variables.shard.name])).toEqual(['0', '1']);
    expect(both.map(({ metadata }) => metadata.labels?.[shardLabel])).toEqual(['0', '1']);
    expect(both.map(({ spec }) => spec.selector)).toEqual(
      ['0', '1'].map((shard) => ({ matchLabels: { [feedLabel]: 'binance', [shardLabel]: shard } })),
    );
  });

  test('is the same for a shard whose symbols stay when there is another shard', () => {
    const symbols = Array.from({ length: 12 }, (_, index) => `S${index}`);
    const [two, three] = [2, 3].map((shards) => desire(sampleFeed({ symbols, shards }), config, schemas).workload);
    const moved = three?.deployments[2];
    const taken = (moved && environment(moved)[variables.symbols.name]?.split(',')) ?? [];
    for (const [shard, before] of (two?.deployments ?? []).entries()) {
      const own = environment(before)[variables.symbols.name]?.split(',') ?? [];
      const isTouched = own.some((symbol) => taken.includes(symbol));
      if (isTouched) expect(three?.deployments[shard]).not.toEqual(before);
      else expect(three?.deployments[shard]).toEqual(before);
    }
    expect(taken.length).toBeGreaterThan(0);
  });

  test('adds a standby without replacing the worker, on another node if there is one', () => {
    const standby = deploymentOf(sampleFeed({ standbys: 1 }));
    expect(standby.spec.replicas).toBe(2);
    expect(standby.spec.template).toEqual(deploymentOf().spec.template);
    expect(template(standby).spec).toMatchObject({
      topologySpreadConstraints: [
        { topologyKey: 'kubernetes.io/hostname', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' },
      ],
    });
  });

  test('fits the restricted Pod Security profile and has no access to the API server', () => {
    const deployment = deploymentOf();
    expect(template(deployment).spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(container(deployment).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('starts the new worker before the old one ends, and lets that one drain', () => {
    const deployment = deploymentOf();
    expect(deployment.spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    expect(template(deployment).spec).toMatchObject({ terminationGracePeriodSeconds: 45 });
  });

  test('limits the worker to half a core and 512 MiB unless the feed says otherwise', () => {
    expect(container(deploymentOf()).resources).toEqual({
      limits: { cpu: '500m', memory: '512Mi' },
      requests: { cpu: '100m', memory: '128Mi' },
    });
    const feed = sampleFeed({ worker: { image: 'own:2', resources: { limits: { cpu: 1 } } } });
    expect(container(deploymentOf(feed))).toMatchObject({
      image: 'own:2',
      resources: { limits: { cpu: '1', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    });
  });

  test('selects by labels that no change of the feed touches', () => {
    const changed = deploymentOf(sampleFeed({ symbols: ['A'], worker: { image: 'own:2' } }));
    expect(changed.spec.selector).toEqual(deploymentOf().spec.selector);
    expect(template(changed).metadata.labels).toMatchObject(
      (changed.spec.selector as { matchLabels: Record<string, string> }).matchLabels,
    );
  });

  test('does not change its pods when the symbols only come in another order', () => {
    expect(deploymentOf(sampleFeed({ symbols: ['ETHUSDT', 'BTCUSDT'] }))).toEqual(deploymentOf());
  });

  test('does not change its pods when only topics or the configuration of the controller itself change', () => {
    const topics = { ...sampleFeed().spec.topics, partitions: 6 };
    const other = deploymentOf(sampleFeed({ topics }), { ...config, httpPort: 9090, logLevel: 'debug' });
    expect(other.spec.template).toEqual(deploymentOf().spec.template);
  });

  test('carries a hash of itself, so that a field that is no longer wanted is found', () => {
    const hash = (deployment: Deployment) => deployment.metadata.annotations?.[appliedAnnotation];
    expect(hash(deploymentOf())).toBe(hash(deploymentOf()));
    expect(hash(deploymentOf())).not.toBe(hash(deploymentOf(sampleFeed({ endpoint: { restUrl: 'http://other' } }))));
  });
});

describe("a shard's budget", () => {
  test('lets a drain end one of its two workers at a time, and one that is not ready at any time', () => {
    const { budgets, deployments } = desire(sampleFeed({ standbys: 1 }), config, schemas).workload;
    expect(budgets).toMatchObject([
      {
        metadata: { name: 'binance-0', namespace: 'market-data', ownerReferences: [{ uid: 'c0ffee' }] },
        spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: deployments[0]?.spec.selector },
      },
    ]);
  });
});
