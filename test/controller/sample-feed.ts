// A feed as the API server stores it, defaults filled in, and what the controller knows beside it.
import type { ExchangeFeed, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import type { ContinuityStatus } from '../../api/worker-status.ts';
import type { ControllerConfig } from '../../controller/config.ts';
import type { Schemas } from '../../controller/desired.ts';

export const key = 'market-data/binance';

export const config: ControllerConfig = {
  bootstrapServers: ['redpanda-0:9092', 'redpanda-1:9092'],
  kafkaAuthSecret: undefined,
  kafkaTls: false,
  kafkaCaSecret: undefined,
  kafkaCertificateSecret: undefined,
  schemaRegistryUrl: 'http://redpanda:8081',
  registryAuthSecret: undefined,
  registryCaSecret: undefined,
  workerImage: 'k2/worker:1',
  workerImagePullPolicy: 'IfNotPresent',
  watchNamespace: undefined,
  leaderElection: true,
  leaseName: 'k2-feed-operator',
  leaseNamespace: undefined,
  schemaPath: 'schemas',
  httpPort: 8080,
  logLevel: 'info',
};

export const schemas: Schemas = { normalized: '"string"', raw: { binance: '"bytes"' } };

/** What a worker says of a symbol of which no trade is missing. */
export const proven: ContinuityStatus = {
  proven: true,
  message: '',
  provable: true,
  written: 10,
  backfilled: 0,
  duplicates: 0,
  missing: 0,
  gaps: [],
};

const spec: ExchangeFeedSpec = {
  exchange: 'binance',
  symbols: ['BTCUSDT', 'ETHUSDT'],
  state: 'Running',
  delivery: 'ExactlyOnce',
  shards: 1,
  standbys: 0,
  topics: { partitions: 3, replicationFactor: 1, raw: { retention: '168h' }, normalized: { retention: '48h' } },
  deletionPolicy: 'Retain',
};

export function sampleFeed(changes: Partial<ExchangeFeedSpec> = {}): ExchangeFeed {
  return {
    apiVersion: 'feeds.k2.dev/v1alpha1',
    kind: 'ExchangeFeed',
    metadata: {
      name: 'binance',
      namespace: 'market-data',
      uid: 'c0ffee',
      generation: 1,
      resourceVersion: '10',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { ...spec, ...changes },
  };
}
