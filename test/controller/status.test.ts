import { expect, describe as group, test } from 'vitest';
import type { ConditionType, ExchangeFeedStatus } from '../../api/exchange-feed.ts';
import { desire } from '../../controller/desired.ts';
import { TargetError } from '../../controller/errors.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';
import {
  conditionOf as condition,
  counted,
  report,
  startMs,
  wellSeen,
  withReports,
  withSymbol,
  workerStatus,
} from './seen.ts';

const well = wellSeen();
const { feed } = well;
const [deployment] = well.desired?.workload.deployments ?? [];
if (deployment === undefined) throw new Error('no Deployment is desired');
const available = { observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const streams = workerStatus(feed.spec.symbols);
const trading = (tradesPerSecond: number): Seen => withReports(well, [report({ ...streams, tradesPerSecond })]);

const isReady = (status: ExchangeFeedStatus) => condition(status, 'Ready')?.status;

group('the status', () => {
  test('of a feed that streams is Ready, and has counts, topics and figures', () => {
    const { conditions, ...rest } = describe(well);
    expect(rest).toEqual({
      observedGeneration: 1,
      symbols: 2,
      workers: '1/1',
      shards: 1,
      selector: 'feeds.k2.dev/feed=binance',
      topics: [
        {
          name: 'market.crypto.trades.binance.raw',
          content: 'Raw',
          partitions: 3,
          subject: 'market.crypto.trades.binance.raw-value',
          schemaId: 1,
        },
        {
          name: 'market.crypto.trades.binance',
          content: 'Normalized',
          partitions: 3,
          subject: 'market.crypto.trades.binance-value',
          schemaId: 2,
        },
        { name: 'market.crypto.trades.binance.raw.dlq', content: 'DeadLetters', partitions: 3 },
        { name: 'market.crypto.cursors.binance', content: 'Cursors', partitions: 1 },
      ],
      live: {
        tradesPerSecond: 168,
        lastTradeTime: '2026-01-01T00:00:00Z',
        completeness: '100%',
        completenessSinceStart: '100%',
        missing: 0,
        repaired: 0,
        duplicates: 0,
        gaps: 0,
      },
    });
    expect(conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)).toEqual([
      'Ready True FeedReady',
      'TopicsReady True TopicsInSync',
      'SubjectsReady True SubjectsRegistered',
      'WorkersAvailable True AllWorkersAvailable',
      'Streaming True AllSymbolsStreaming',
      'DataComplete True NoTradeMissing',
    ]);
    expect(conditions?.[0]).toMatchObject({
      message: '2 symbols stream into market.crypto.trades.binance.raw and market.crypto.trades.binance.',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
  });
});

group('the count of workers', () => {
  test('is 0/1 before there is any, and never above what is wanted while an update overlaps', () => {
    expect(describe({ ...well, deployments: [] }).workers).toBe('0/1');
    const overlapping = { ...deployment, status: { readyReplicas: 2 } };
    expect(describe({ ...well, deployments: [overlapping] }).workers).toBe('1/1');
  });
});

group('the counts of a feed with three shards and standbys', () => {
  const sharded = sampleFeed({ symbols: ['A', 'B', 'C'], shards: 3, standbys: 1 });
  const wanted = desire(sharded, config, schemas);
  const two = { ...available, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };
  const deployments = wanted.workload.deployments.map((it) => ({ ...it, status: two }));
  const seen = { ...well, feed: sharded, desired: wanted, deployments };

  test('are over all of them', () => {
    expect(describe(seen)).toMatchObject({ workers: '6/6', shards: 3, selector: 'feeds.k2.dev/feed=binance' });
    const [first, ...others] = deployments;
    const surging = first ? [{ ...first, status: { ...two, readyReplicas: 3 } }, ...others.slice(1)] : [];
    expect(describe({ ...seen, deployments: surging })).toMatchObject({ workers: '4/6', shards: 2 });
  });

  test('do not count the workers of a shard on its way out, which is still there', () => {
    const [first] = deployments;
    const leaving = first && { ...first, metadata: { ...first.metadata, name: 'binance-3' } };
    const more = leaving ? [...deployments, leaving] : [];
    expect(describe({ ...seen, deployments: more })).toMatchObject({ workers: '6/6', shards: 4 });
    const ending = deployments.map((it) => ({ ...it, metadata: { ...it.metadata, deletionTimestamp: 'now' } }));
    expect(describe({ ...seen, deployments: ending }).workers).toBe('0/6');
  });
});

group('the status of an unchanged world', () => {
  test('is equal the next time', () => {
    const previous = describe(well);
    expect(describe({ ...well, previous, nowMs: startMs + 3_600_000 })).toEqual(previous);
  });

  test('keeps the time of a condition that kept its status, whatever its reason', () => {
    const unavailable = { ...well, deployments: [], reports: [], pods: [] };
    const previous = describe(unavailable);
    const later = describe({ ...unavailable, deployments: [deployment], previous, nowMs: startMs + 60_000 });
    expect(condition(later, 'WorkersAvailable')?.reason).toBe('WorkersStarting');
    expect(condition(later, 'WorkersAvailable')?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
    const ready = describe({ ...well, previous, nowMs: startMs + 60_000 });
    expect(condition(ready, 'WorkersAvailable')?.lastTransitionTime).toBe('2026-01-01T00:01:00Z');
  });
});

group('the status of a feed in trouble', () => {
  test.each<[string, ConditionType, Partial<Seen>]>([
    ['TopicsPending', 'TopicsReady', { topics: new Map() }],
    ['SubjectsPending', 'SubjectsReady', { subjects: new Map() }],
    ['WorkersPending', 'WorkersAvailable', { deployments: [] }],
    ['NoWorker', 'Streaming', { reports: [] }],
    ['UnknownExchange', 'Ready', { failures: [new TargetError('UnknownExchange', 'exchange "x"')] }],
    ['BrokerUnreachable', 'TopicsReady', { failures: [new TargetError('BrokerUnreachable', 'refused')] }],
    ['SchemaIncompatible', 'SubjectsReady', { failures: [new TargetError('SchemaIncompatible', 'x-value')] }],
    ['WorkersRefused', 'WorkersAvailable', { failures: [new TargetError('WorkersRefused', 'quota')] }],
  ])('is not Ready, for the same reason, with %s in %s', (reason, type, change) => {
    const status = describe({ ...well, ...change });
    expect(isReady(status)).not.toBe('True');
    expect(condition(status, type)?.reason).toBe(reason);
    expect(condition(status, 'Ready')?.reason).toBe(reason);
    expect(condition(status, 'Ready')?.message).toBe(condition(status, type)?.message);
  });

  test('tells the broker away while the workers stream on', () => {
    const failures = [new TargetError('BrokerUnreachable', 'redpanda-0:9092: connect ECONNREFUSED')];
    const previous = describe(well);
    const status = describe({ ...well, topics: null, failures, previous });
    expect(condition(status, 'TopicsReady')?.message).toMatch(/^redpanda-0:9092: connect ECONNREFUSED\. Check/);
    expect(condition(status, 'Streaming')?.status).toBe('True');
    expect(status.topics).toEqual(previous.topics);
  });
});

group('live figures', () => {
  test('are left as they are until they are due', () => {
    const previous = describe(well);
    expect(describe({ ...trading(5), previous, liveDue: false })).toEqual(previous);
    expect(describe({ ...trading(5), previous }).live?.tradesPerSecond).toBe(5);
  });

  test('are brought up to date at once when Ready flips', () => {
    const previous = describe(well);
    const lost = describe({ ...well, previous, deployments: [], reports: [], pods: [], liveDue: false });
    expect(lost.live).toEqual({ tradesPerSecond: 0, lastTradeTime: '2026-01-01T00:00:00Z' });
  });

  test('keep the newest trade when a restarted worker has none yet', () => {
    const previous = describe(well);
    const restarted = withReports(well, [report(workerStatus([]))]);
    expect(describe({ ...restarted, previous }).live?.lastTradeTime).toBe('2026-01-01T00:00:00Z');
  });

  test('sum what is missing, repaired and doubled over shards', () => {
    const gap = { firstId: '5', lastId: '5', state: 'open' as const, message: '' };
    const one = { ...counted, proven: false, written: 990, missing: 10, backfilled: 2, duplicates: 3, gaps: [gap] };
    const other = { ...counted, written: 9000, backfilled: 5, duplicates: 4 };
    const first = withSymbol(workerStatus(['BTCUSDT']), 'BTCUSDT', { continuity: one });
    const second = withSymbol(workerStatus(['ETHUSDT']), 'ETHUSDT', { continuity: other });
    const seen = wellSeen(sampleFeed({ shards: 2 }));
    const { live } = describe(withReports({ ...seen, hour: null }, [report(first), report(second, true, 1)]));
    expect(live).toMatchObject({
      tradesPerSecond: 337,
      completeness: '99.9%',
      completenessSinceStart: '99.9%',
      missing: 10,
      repaired: 7,
      duplicates: 7,
      gaps: 1,
    });
  });

  test('of completeness stay as they are while a symbol is on its way from one shard to another', () => {
    const live = { tradesPerSecond: 5, completeness: '99.5%', completenessSinceStart: '99.9%' };
    const moving = withReports(well, [report(workerStatus(['ETHUSDT']))]);
    expect(describe({ ...moving, previous: { live } }).live).toMatchObject({ ...live, tradesPerSecond: 168 });
  });

  test('say unknown where no id proves anything', () => {
    const continuity = { ...counted, proven: false, provable: false, message: 'ids are not numbered' };
    const unprovable = feed.spec.symbols.reduce((said, name) => withSymbol(said, name, { continuity }), streams);
    expect(describe(withReports(well, [report(unprovable)])).live).toMatchObject({
      completeness: 'unknown',
      completenessSinceStart: 'unknown',
    });
  });

  test('are absent before any worker was heard', () => {
    expect(describe(withReports(well, []))).not.toHaveProperty('live');
  });
});
