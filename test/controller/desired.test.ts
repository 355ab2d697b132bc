import { describe, expect, test } from 'vitest';
import type { TopicContent } from '../../api/exchange-feed.ts';
import { openKafka, openRegistry } from '../../api/secrets.ts';
import { desire, parseDurationMs, type Topic } from '../../controller/desired.ts';
import { config as controllerConfig, sampleFeed, schemas } from './sample-feed.ts';

const hourMs = 3_600_000;

const records = (content: TopicContent, name: string, retentionMs: number, more: Partial<Topic> = {}): Topic => ({
  name,
  content,
  partitions: 3,
  replicationFactor: 1,
  config: { 'retention.ms': String(retentionMs) },
  initialConfig: {},
  ...more,
});

describe('a feed', () => {
  test('that names only exchange and symbols gets the default topics, brokers and registry', () => {
    const { workload, ...rest } = desire(sampleFeed(), controllerConfig, schemas);
    expect(rest).toEqual({
      brokers: expect.objectContaining({ servers: controllerConfig.bootstrapServers, access: openKafka }),
      registry: expect.objectContaining({ url: controllerConfig.schemaRegistryUrl, access: openRegistry }),
      topics: [
        records('Raw', 'market.crypto.trades.binance.raw', 168 * hourMs),
        records('Normalized', 'market.crypto.trades.binance', 48 * hourMs),
        records('DeadLetters', 'market.crypto.trades.binance.raw.dlq', 168 * hourMs),
        expect.objectContaining({ name: 'market.crypto.cursors.binance' }),
      ],
      subjects: [
        { name: 'market.crypto.trades.binance.raw-value', schema: schemas.raw.binance },
        { name: 'market.crypto.trades.binance-value', schema: schemas.normalized },
      ],
    });
  });

  test('gets the topics, brokers and registry that it names', () => {
    const feed = sampleFeed({
      kafka: { bootstrapServers: 'own:9092,other:9092' },
      schemaRegistry: { url: 'https://own:8081' },
      topics: {
        partitions: 6,
        replicationFactor: 3,
        raw: { name: 'own.raw', retention: '1h30m' },
        normalized: { name: 'own', retention: '90s' },
      },
    });
    const desired = desire(feed, controllerConfig, schemas);
    expect(desired.brokers.servers).toEqual(['own:9092', 'other:9092']);
    expect(desired.registry.url).toBe('https://own:8081');
    expect(desired.topics).toEqual([
      records('Raw', 'own.raw', 1.5 * hourMs, { partitions: 6, replicationFactor: 3 }),
      records('Normalized', 'own', 90_000, { partitions: 6, replicationFactor: 3 }),
      records('DeadLetters', 'own.raw.dlq', 1.5 * hourMs, { partitions: 6, replicationFactor: 3 }),
      expect.objectContaining({ name: 'market.crypto.cursors.binance', partitions: 1, replicationFactor: 3 }),
    ]);
    expect(desired.subjects.map(({ name }) => name)).toEqual(['own.raw-value', 'own-value']);
  });
});

describe('the settings of a topic', () => {
  const configOf = (config: Record<string, string | null>) => {
    const { topics } = sampleFeed().spec;
    const feed = sampleFeed({ topics: { ...topics, raw: { ...topics.raw, config } } });
    return desire(feed, controllerConfig, schemas).topics.map((topic) => topic.config);
  };
  const retention = { 'retention.ms': String(168 * hourMs) };
  const others = [{ 'retention.ms': String(48 * hourMs) }, { 'cleanup.policy': 'compact' }] as const;

  test('are those of the feed beside ours, and hold for dead letters as for frames', () => {
    const own = { ...retention, 'max.message.bytes': '2000000' };
    expect(configOf({ 'max.message.bytes': '2000000' })).toEqual([own, others[0], own, others[1]]);
  });

  test('leave alone what is null, be it one of ours', () => {
    expect(configOf({ 'retention.ms': null, 'compression.type': null })).toEqual([{}, others[0], {}, others[1]]);
  });
});

describe('a topic of cursors', () => {
  const cursorsOf = (changes: Parameters<typeof sampleFeed>[0]) =>
    desire(sampleFeed(changes), controllerConfig, schemas).topics.filter(({ content }) => content === 'Cursors');

  test('is compacted, has one partition, and is kept short for those who read it from its beginning', () => {
    expect(cursorsOf({})).toEqual([
      {
        name: 'market.crypto.cursors.binance',
        content: 'Cursors',
        partitions: 1,
        replicationFactor: 1,
        config: { 'cleanup.policy': 'compact' },
        initialConfig: {
          'segment.bytes': '4194304',
          'segment.ms': '600000',
          'min.cleanable.dirty.ratio': '0.1',
          'delete.retention.ms': '300000',
        },
      },
    ]);
  });

  test('is not made for a feed that writes at least once', () => {
    expect(cursorsOf({ delivery: 'AtLeastOnce' })).toEqual([]);
  });
});

describe('a workload', () => {
  const workloadOf = (changes: Parameters<typeof sampleFeed>[0]) =>
    desire(sampleFeed(changes), controllerConfig, schemas).workload;

  test('has a Deployment for each shard, and a budget for each only if it has a standby', () => {
    const names = (objects: { metadata: { name: string } }[]) => objects.map(({ metadata }) => metadata.name);
    const two = workloadOf({ shards: 2 });
    expect([names(two.deployments), names(two.budgets)]).toEqual([['binance-0', 'binance-1'], []]);
    const standbys = workloadOf({ shards: 2, standbys: 1 });
    expect(names(standbys.budgets)).toEqual(['binance-0', 'binance-1']);
    expect(standbys.deployments.map(({ spec }) => spec.replicas)).toEqual([2, 2]);
  });

  test('of more shards than symbols is refused with both numbers', () => {
    expect(() => workloadOf({ shards: 3 })).toThrow(
      'shards is 3, and the number of symbols is 2: each shard needs one',
    );
  });
});

describe('a duration', () => {
  test.each([
    ['168h', 168 * hourMs],
    ['1h30m', 1.5 * hourMs],
    ['90s', 90_000],
    ['1h1m1s', hourMs + 61_000],
  ])('%s is so many milliseconds: %i', (text, milliseconds) => {
    expect(parseDurationMs('topics.raw.retention', text)).toBe(milliseconds);
  });

  test.each(['7d', '', '1', 'h', '1.5h', '-1h', '30m1h'])(
    '"%s" is refused with field, value and a right one',
    (text) => {
      expect(() => parseDurationMs('topics.raw.retention', text)).toThrow(
        `topics.raw.retention "${text}" is not a duration: use hours, minutes or seconds, for example "168h"`,
      );
    },
  );
});
