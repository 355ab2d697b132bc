import { expect, describe as group, test } from 'vitest';
import type { ConditionType, ExchangeFeedStatus } from '../../api/exchange-feed.ts';
import { desire } from '../../controller/desired.ts';
import { TargetError } from '../../controller/errors.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { config, proven, sampleFeed, schemas } from './sample-feed.ts';

const feed = sampleFeed();
const desired = desire(feed, config, schemas);
const [deployment] = desired.workload.deployments;
if (deployment === undefined) throw new Error('no Deployment is desired');
const available = { observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const startMs = Date.parse('2026-01-01T00:00:00.900Z');
const tradeMs = Date.parse('2026-01-01T00:00:00.500Z');

function reportsOf(tradesPerSecond: number, symbols = feed.spec.symbols): Seen['reports'] {
  const said = symbols.map((symbol) => ({
    symbol,
    state: 'subscribed' as const,
    message: '',
    lastTradeTimeMs: tradeMs,
    continuity: proven,
  }));
  const figures = { completeness: 100, tradesTotal: 10, tradesPerSecond };
  const status = {
    exchange: 'binance',
    role: 'owner' as const,
    streaming: true,
    message: '',
    symbols: said,
    ...figures,
  };
  return [{ shard: 0, owners: [status], standbys: [], unreachable: null }];
}

/** Everything is as it should be. */
const well: Seen = {
  feed,
  previous: {},
  desired,
  topics: new Map(desired.topics.map(({ name, ...topic }) => [name, topic])),
  subjects: new Map(desired.subjects.map(({ name }, index) => [name, index + 1])),
  failures: [],
  deployments: [{ ...deployment, status: available }],
  pods: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'binance-0-x' } }],
  reports: reportsOf(168.4),
  ownerless: [],
  nowMs: startMs,
  liveDue: true,
};

const condition = (status: ExchangeFeedStatus, type: ConditionType) =>
  status.conditions?.find((candidate) => candidate.type === type);
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
      live: { tradesPerSecond: 168, lastTradeTime: '2026-01-01T00:00:00Z', completeness: '100%', gaps: 0 },
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
    const soon = describe({ ...well, previous, reports: reportsOf(5), liveDue: false });
    expect(soon).toEqual(previous);
    expect(describe({ ...well, previous, reports: reportsOf(5) }).live?.tradesPerSecond).toBe(5);
  });

  test('are brought up to date at once when Ready flips', () => {
    const previous = describe(well);
    const lost = describe({ ...well, previous, deployments: [], reports: [], pods: [], liveDue: false });
    expect(lost.live).toEqual({ tradesPerSecond: 0, lastTradeTime: '2026-01-01T00:00:00Z' });
  });

  test('keep the newest trade when a restarted worker has none yet', () => {
    const previous = describe(well);
    const restarted = reportsOf(0, []);
    expect(describe({ ...well, previous, reports: restarted }).live?.lastTradeTime).toBe('2026-01-01T00:00:00Z');
  });

  test('are absent before any worker was heard', () => {
    expect(describe({ ...well, reports: [] })).not.toHaveProperty('live');
  });
});
