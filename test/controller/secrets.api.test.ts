// Secrets on a real API server: what the watch brings, what it does not bring, and what a rotation sets off.
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKubeMetrics } from '../../controller/kube/metrics.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { createSecretReader } from '../../controller/secrets.ts';
import { createWatches, type Watches } from '../../controller/watch.ts';
import { createLogger } from '../../runtime/log.ts';
import { until } from '../cluster/until.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { config } from './sample-feed.ts';

const slowMs = 60_000;
const ending = new AbortController();

let plane: ControlPlane;
let transport: Transport;
let watches: Watches;
let running: Promise<unknown>;
const keys: string[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  transport = createTransport(plane.kubeConfig, { userAgent: 'secrets' });
  watches = createWatches({
    transport,
    namespace: undefined,
    bootstrapServers: config.bootstrapServers,
    secretDefaults: config,
    onKey: (key) => keys.push(key),
    log: createLogger('silent', 'test'),
    metrics: createKubeMetrics(new Registry()),
  });
  running = watches.run(ending.signal);
  await watches.synced;
});
afterAll(async () => {
  ending.abort();
  await running;
  await transport?.close();
  await plane?.close();
});

const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  stringData,
});
const feed = (name: string, secretName: string) => ({
  apiVersion: 'feeds.k2.dev/v1alpha1',
  kind: 'ExchangeFeed',
  metadata: { name, namespace: 'default' },
  spec: { exchange: 'binance', symbols: ['BTCUSDT'], kafka: { authSecretRef: { name: secretName } } },
});
const seen = (key: string) =>
  until(`Secret ${key} to be seen`, slowMs, async () => watches.secretVersion(key) ?? undefined);

test('a rotated Secret enqueues the feeds that name it, and is read once for its version', async () => {
  await plane.apply(feed('named', 'kafka'), feed('other', 'elsewhere'));
  const stored = await until('feeds to be seen', slowMs, async () => watches.feeds.get('default/named') ?? undefined);
  const reader = createSecretReader({ transport, versionOf: watches.secretVersion, defaults: config });
  await expect(reader.read(stored)).rejects.toMatchObject({ reason: 'SecretMissing' });

  keys.length = 0;
  await plane.apply(secret('kafka', { username: 'worker', password: 'first' }));
  await seen('default/kafka');
  const first = await reader.read(stored);
  expect(first.kafka.sasl).toMatchObject({ username: 'worker', password: 'first' });

  const before = watches.secretVersion('default/kafka');
  await plane.apply(secret('kafka', { username: 'worker', password: 'second' }));
  await until('the rotation to be seen', slowMs, async () =>
    watches.secretVersion('default/kafka') === before ? undefined : true,
  );
  const second = await reader.read(stored);
  expect(second.kafka.sasl?.password).toBe('second');
  expect(second.hash).not.toBe(first.hash);
  expect(new Set(keys)).toEqual(new Set(['default/named']));

  await reader.read(stored);
  let gets = 0;
  for await (const { verb, userAgent, objectRef } of plane.audited()) {
    if (verb === 'get' && userAgent === 'secrets' && objectRef?.name === 'kafka') gets++;
  }
  expect(gets).toBe(2);
});

test('what is in Secrets does not come with their metadata', async () => {
  await plane.apply(secret('unnamed', { password: 'never-sent' }));
  await seen('default/unnamed');
  const path = '/api/v1/secrets';
  const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
  const listed = await transport.request<{ kind: string; items: object[] }>('GET', path, { accept });
  expect(listed.kind).toBe('PartialObjectMetadataList');
  expect(JSON.stringify(listed)).toContain('"unnamed"');
  expect(JSON.stringify(listed)).not.toMatch(/never-sent|bmV2ZXItc2VudA|"data"/);
});
