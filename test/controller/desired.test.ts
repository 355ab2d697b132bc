import { describe, expect, test } from 'vitest';
import { desire, parseDurationMs } from '../../controller/desired.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const hourMs = 3_600_000;

describe('a feed', () => {
  test('that names only exchange and symbols gets the default topics, brokers and registry', () => {
    const { deployment, ...rest } = desire(sampleFeed(), config, schemas);
    expect(rest).toEqual({
      bootstrapServers: config.bootstrapServers,
      schemaRegistryUrl: config.schemaRegistryUrl,
      topics: [
        { name: 'market.crypto.trades.binance.raw', partitions: 3, replicationFactor: 1, retentionMs: 168 * hourMs },
        { name: 'market.crypto.trades.binance', partitions: 3, replicationFactor: 1, retentionMs: 48 * hourMs },
        {
          name: 'market.crypto.trades.binance.raw.dlq',
          partitions: 3,
          replicationFactor: 1,
          retentionMs: 168 * hourMs,
        },
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
    const desired = desire(feed, config, schemas);
    expect(desired.bootstrapServers).toEqual(['own:9092', 'other:9092']);
    expect(desired.schemaRegistryUrl).toBe('https://own:8081');
    expect(desired.topics).toEqual([
      { name: 'own.raw', partitions: 6, replicationFactor: 3, retentionMs: 1.5 * hourMs },
      { name: 'own', partitions: 6, replicationFactor: 3, retentionMs: 90_000 },
      { name: 'own.raw.dlq', partitions: 6, replicationFactor: 3, retentionMs: 1.5 * hourMs },
    ]);
    expect(desired.subjects.map(({ name }) => name)).toEqual(['own.raw-value', 'own-value']);
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
