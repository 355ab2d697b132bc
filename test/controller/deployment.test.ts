import { describe, expect, test } from 'vitest';
import { parseWorkerConfig } from '../../api/worker-config.ts';
import { appliedAnnotation } from '../../controller/deployment.ts';
import { desire } from '../../controller/desired.ts';
import type { Deployment } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

interface PodTemplate {
  metadata: { labels: Record<string, string> };
  spec: { containers: [Record<string, unknown> & { env: { name: string; value: string }[] }] };
}

const deploymentOf = (feed = sampleFeed(), own = config): Deployment => desire(feed, own, schemas).deployment;
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
      bootstrapServers: ['redpanda-0:9092', 'redpanda-1:9092'],
      schemaRegistryUrl: 'http://redpanda:8081',
      topicRaw: 'market.crypto.trades.binance.raw',
      topicNormalized: 'market.crypto.trades.binance',
      topicDeadLetter: 'market.crypto.trades.binance.raw.dlq',
      schemaPath: 'schemas',
      webSocketUrl: 'ws://simulator:8080',
      restUrl: 'http://simulator:8080',
      httpPort: 8080,
      logLevel: 'info',
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
    expect(template(deployment).spec).toMatchObject({ terminationGracePeriodSeconds: 30 });
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
