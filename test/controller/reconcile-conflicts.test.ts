// Feeds that get in each other's way, and what stands in a rollout's way: what is left alone, and what happens after.
import { describe, expect, test } from 'vitest';
import type { ExchangeFeed, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import { desire } from '../../controller/desired.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';
import { ready, World } from './world.ts';

const year = { older: '2025-01-01T00:00:00Z', younger: '2027-01-01T00:00:00Z' };

function other(age: keyof typeof year, changes: Partial<ExchangeFeedSpec> = {}): ExchangeFeed {
  const { metadata, ...rest } = sampleFeed(changes);
  return { ...rest, metadata: { ...metadata, name: 'other', uid: 'other', creationTimestamp: year[age] } };
}

const edited = (world: World, changes: Partial<ExchangeFeedSpec>): void => {
  if (world.feed === null) throw new Error('the feed is gone');
  const { metadata, spec } = world.feed;
  world.feed = { ...world.feed, metadata: { ...metadata, generation: 2 }, spec: { ...spec, ...changes } };
};

const outside = (deeds: string[]) => deeds.filter((deed) => deed !== 'write status');

describe('a feed with a symbol of an older one', () => {
  test('gets nothing made, not even a finalizer, and says which feed it is', async () => {
    const world = new World();
    world.others = [other('older', { symbols: ['ETHUSDT'] })];
    expect(await world.reconcile()).toBe(15_000);
    expect(world.takeDeeds()).toEqual(['write status']);
    expect(world.status.conditions?.[0]).toMatchObject({
      reason: 'SymbolConflict',
      message: expect.stringMatching(
        /^ETHUSDT would go to the same topic from feed market-data\/other, which is older/,
      ),
    });
  });

  test('is carried out as soon as the other one is gone', async () => {
    const world = new World();
    world.others = [other('older')];
    await world.reconcile();
    world.others = [];
    await ready(world);
  });

  test('that ran before it took the symbol runs on as it was', async () => {
    const world = await ready();
    world.others = [other('older', { symbols: ['SOLUSDT'] })];
    edited(world, { symbols: ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'] });
    await world.reconcile();
    expect(world.reason).toBe('SymbolConflict');
    expect(outside(world.takeDeeds())).toEqual([]);
    expect(world.deployments).toHaveLength(1);
  });

  test('that writes it already goes on when the older one takes it', async () => {
    const world = await ready();
    world.others = [other('older', { symbols: ['ETHUSDT'] })];
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });

  test('that both write, as an older version of the controller let them, has its workers ended', async () => {
    const world = await ready();
    const older = other('older', { symbols: ['ETHUSDT'] });
    world.others = [older];
    world.workloads.set('market-data/other', { workload: desire(older, config, schemas).workload, pods: [] });
    await world.reconcile();
    expect(outside(world.takeDeeds())).toEqual(['remove Deployment binance-0']);
    world.endWorkers();
    await world.reconcile();
    expect(world.reason).toBe('SymbolConflict');
    expect(outside(world.takeDeeds())).toEqual([]);
  });
});

describe('a feed that wants a topic otherwise than an older one', () => {
  test('leaves the topic and its own workers as they are, and goes on once they agree', async () => {
    const world = await ready();
    world.others = [other('older', { symbols: ['SOLUSDT'] })];
    edited(world, { topics: { ...sampleFeed().spec.topics, partitions: 6 } });
    await world.reconcile();
    expect(world.reason).toBe('TopicConflict');
    expect(outside(world.takeDeeds())).toEqual([]);
    world.others = [other('older', { symbols: ['SOLUSDT'], topics: { ...sampleFeed().spec.topics, partitions: 6 } })];
    await world.reconcile();
    expect(world.takeDeeds()).toContain('grow topics');
  });

  test('is right if it is the older one itself', async () => {
    const world = new World();
    world.others = [other('younger', { symbols: ['SOLUSDT'], topics: { ...sampleFeed().spec.topics, partitions: 6 } })];
    await ready(world);
  });
});

describe('an incompatible schema', () => {
  test('blocks the rollout and leaves the old workers running, until the registry takes it', async () => {
    const world = await ready();
    world.subjects.clear();
    world.isSchemaRefused = true;
    edited(world, { worker: { image: 'k2/worker:2' } });
    await world.reconcile();
    expect(world.reason).toBe('SchemaIncompatible');
    expect(outside(world.takeDeeds())).toEqual(['look at topics', 'look at subjects']);
    expect(JSON.stringify(world.deployments)).toContain('k2/worker:1');
    expect(world.status.conditions?.find(({ type }) => type === 'Streaming')?.status).toBe('True');
    world.isSchemaRefused = false;
    await world.reconcile();
    expect(JSON.stringify(world.deployments)).toContain('k2/worker:2');
  });
});

describe('a topic that was there before the feed', () => {
  test('is adopted knowingly: an event and the status say so, once', async () => {
    const world = new World();
    const name = 'market.crypto.trades.binance';
    const config = { 'retention.ms': String(48 * 3_600_000) };
    world.topics.set(name, { partitions: 3, replicationFactor: 1, config, isAdopted: true });
    await ready(world);
    await world.reconcile();
    expect(world.events.filter((event) => event === 'Normal TopicsAdopted')).toHaveLength(1);
    expect(world.status.conditions?.find(({ type }) => type === 'TopicsReady')?.message).toMatch(
      /existed before this operator used it: market.crypto.trades.binance\.$/,
    );
  });
});
