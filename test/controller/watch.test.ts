import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ExchangeFeed, pauseReconciliationAnnotation, restartAnnotation } from '../../api/exchange-feed.ts';
import { createKubeMetrics } from '../../controller/kube/metrics.ts';
import type { KubeObject } from '../../controller/kube/object.ts';
import { cacheOf, changesClaim, createWatches, needsReconcile } from '../../controller/watch.ts';
import { feedLabel } from '../../controller/workload.ts';
import { createLogger } from '../../runtime/log.ts';
import { type Call, startStub, transportTo } from './kube/stub-api-server.ts';
import { config, sampleFeed } from './sample-feed.ts';

const changed = (metadata: Partial<ExchangeFeed['metadata']>): ExchangeFeed => {
  const feed = sampleFeed();
  return { ...feed, metadata: { ...feed.metadata, ...metadata } };
};

test.each<[string, ExchangeFeed | null, ExchangeFeed | null]>([
  ['a new feed', null, sampleFeed()],
  ['a feed that is gone', sampleFeed(), null],
  ['another spec', sampleFeed(), changed({ generation: 2 })],
  ['another feed of the same name', sampleFeed(), changed({ uid: 'other' })],
  ['the beginning of a deletion', sampleFeed(), changed({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['a finalizer that somebody took away', changed({ finalizers: ['a'] }), changed({ finalizers: [] })],
  [
    'the pause of its reconciliation',
    sampleFeed(),
    changed({ annotations: { [pauseReconciliationAnnotation]: 'true' } }),
  ],
  ['the end of that pause', changed({ annotations: { [pauseReconciliationAnnotation]: 'true' } }), sampleFeed()],
  [
    'another wish for a restart',
    changed({ annotations: { [restartAnnotation]: '1' } }),
    changed({ annotations: { [restartAnnotation]: '2' } }),
  ],
])('%s is worth a reconcile', (_, previous, current) => {
  expect(needsReconcile(previous, current)).toBe(true);
});

test('an annotation of somebody else is not worth a reconcile', () => {
  expect(needsReconcile(sampleFeed(), changed({ annotations: { 'example.com/team': 'a' } }))).toBe(false);
});

test('our own status write is not worth a reconcile', () => {
  const written = { ...changed({ resourceVersion: '11' }), status: { symbols: 2 } };
  expect(needsReconcile(sampleFeed(), written)).toBe(false);
});

test.each<[string, ExchangeFeed | null, ExchangeFeed | null]>([
  ['a new feed', null, sampleFeed()],
  ['a feed that is gone', sampleFeed(), null],
  ['another spec', sampleFeed(), changed({ generation: 2 })],
  ['another feed of the same name', sampleFeed(), changed({ uid: 'other' })],
  ['the beginning of a deletion', sampleFeed(), changed({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
])('%s may concern other feeds', (_, previous, current) => {
  expect(changesClaim(previous, current)).toBe(true);
});

test.each([
  ['our own finalizer', changed({ finalizers: ['feeds.k2.dev/workers'] })],
  ['our own status', { ...changed({ resourceVersion: '11' }), status: { symbols: 2 } }],
  ['an annotation', changed({ annotations: { [restartAnnotation]: '1' } })],
])('%s concerns no other feed', (_, current) => {
  expect(changesClaim(sampleFeed(), current)).toBe(false);
});

describe('the watches', () => {
  const feed = (name: string, metadata: Partial<ExchangeFeed['metadata']> = {}): ExchangeFeed => {
    const sample = sampleFeed();
    return { ...sample, metadata: { ...sample.metadata, name, uid: name, ...metadata } };
  };
  const pod = (name: string, feedName: string, resourceVersion: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'market-data', resourceVersion, labels: { [feedLabel]: feedName } },
  });

  /** Listed, against a server with these feeds and pods; the test speaks on in the watches. */
  async function startWatches(listed: { exchangefeeds?: ExchangeFeed[]; pods?: KubeObject[] }) {
    const kindOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
    const watched = new Map<string, Call>();
    const stub = await startStub((call) => {
      const kind = kindOf(call.path);
      const items = listed[kind as keyof typeof listed] ?? [];
      if (call.watch) watched.set(kind, call);
      else call.json(200, { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '100' }, items });
    });
    const keys: string[] = [];
    const watches = createWatches({
      transport: transportTo(stub),
      namespace: undefined,
      bootstrapServers: config.bootstrapServers,
      secretDefaults: config,
      onKey: (key) => keys.push(key),
      log: createLogger('silent', 'test'),
      metrics: createKubeMetrics(new Registry()),
    });
    const stop = new AbortController();
    const ended = watches.run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await ended;
    });
    await watches.synced;
    await vi.waitFor(() => expect(watched.size).toBe(5), { interval: 2, timeout: 4_000 });
    keys.length = 0;
    const tell = (kind: string, type: string, object: object) => watched.get(kind)?.event(type, object);
    const untilKeys = (...expected: string[]) =>
      vi.waitFor(() => expect(keys).toEqual(expected.map((name) => `market-data/${name}`)), { interval: 2 });
    return { watches, cache: cacheOf(watches), keys, tell, untilKeys };
  }

  test('look at other feeds for a new spec, not for our own writes', async () => {
    const { watches, tell, untilKeys } = await startWatches({ exchangefeeds: [feed('a'), feed('b')] });
    const before = watches.claims().of('market-data/a');
    tell('exchangefeeds', 'MODIFIED', feed('a', { resourceVersion: '101', finalizers: ['feeds.k2.dev/workers'] }));
    await untilKeys('a');
    expect(watches.claims().of('market-data/a')).toBe(before);
    tell('exchangefeeds', 'MODIFIED', feed('a', { resourceVersion: '102', generation: 2, finalizers: ['x'] }));
    await untilKeys('a', 'a', 'b');
    expect(watches.claims().of('market-data/a')).not.toBe(before);
  });

  test('find what belongs to a feed, also after it came, changed and went', async () => {
    const { cache, tell, untilKeys } = await startWatches({ pods: [pod('a-0', 'a', '1'), pod('b-0', 'b', '2')] });
    const namesOf = (key: string) =>
      cache.pods(key).map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
    expect(namesOf('market-data/a')).toEqual(['a-0 1']);
    tell('pods', 'ADDED', pod('a-1', 'a', '101'));
    tell('pods', 'MODIFIED', pod('a-0', 'a', '102'));
    tell('pods', 'DELETED', pod('b-0', 'b', '103'));
    await untilKeys('a', 'a', 'b');
    expect(namesOf('market-data/a')).toEqual(['a-0 102', 'a-1 101']);
    expect(namesOf('market-data/b')).toEqual([]);
    expect(cache.workload('market-data/a')).toEqual({ deployments: [], budgets: [] });
  });
});
