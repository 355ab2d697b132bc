// The reconcile of feeds with several shards; the rest of it is in reconcile.test.ts.
import { describe, expect, test } from 'vitest';
import { sampleFeed } from './sample-feed.ts';
import { ready, World } from './world.ts';

describe('a feed of several shards', () => {
  const scale = (world: World, shards: number) => {
    if (!world.feed) return;
    const { metadata, spec } = world.feed;
    const changed = { ...metadata, generation: metadata.generation + 1 };
    world.feed = { ...world.feed, metadata: changed, spec: { ...spec, shards } };
  };
  /** Enough symbols for every change to touch every shard; all stream. */
  const symbols = Array.from({ length: 12 }, (_, index) => `S${index}`);
  async function shardedWorld(shards: number): Promise<World> {
    const world = new World();
    world.feed = sampleFeed({ symbols, shards });
    return ready(world);
  }
  const workersOf = (deeds: string[]) => deeds.filter((deed) => deed.includes('Deployment'));

  test('is not Ready between being scaled and the new workers', async () => {
    const world = await shardedWorld(1);
    scale(world, 3);
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual([
      'apply Deployment binance-0',
      'apply Deployment binance-1',
      'apply Deployment binance-2',
    ]);
    expect(world.status).toMatchObject({ workers: '1/3', shards: 3 });
    expect(world.reason).toBe('WorkersStarting');
    world.startWorkers();
    await world.reconcile();
    expect(world.status).toMatchObject({ workers: '3/3', shards: 3 });
    expect(world.reason).toBe('FeedReady');
  });

  test('keeps a shard that goes until the others are ready, and its workers until they have ended', async () => {
    const world = await shardedWorld(3);
    scale(world, 2);
    await world.reconcile();
    const applied = workersOf(world.takeDeeds());
    expect(applied).toEqual(['apply Deployment binance-0', 'apply Deployment binance-1']);
    world.startWorkers(0, 1);
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual(['remove Deployment binance-2']);
    expect(world.status).toMatchObject({ workers: '2/2', shards: 3 });
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual([]);
    world.endWorkers();
    await world.reconcile();
    expect(world.status).toMatchObject({ workers: '2/2', shards: 2 });
    expect(world.reason).toBe('FeedReady');
  });

  test('keeps a shard that goes for as long as the others do not start', async () => {
    const world = await shardedWorld(3);
    scale(world, 2);
    await world.reconcile();
    world.takeDeeds();
    world.nowMs += 3_600_000;
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual([]);
  });

  test('gives a shard up when a worker that has started waits for it for 30 s, though another has not', async () => {
    const world = await shardedWorld(3);
    scale(world, 2);
    await world.reconcile();
    world.takeDeeds();
    world.startWorkers(0);
    world.roles.set(0, 'standby');
    await world.reconcile();
    world.nowMs += 29_000;
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual([]);
    world.nowMs += 1_000;
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual(['remove Deployment binance-2']);
  });

  test('ends all its workers when it is deleted', async () => {
    const world = await shardedWorld(2);
    if (world.feed) world.feed.metadata.deletionTimestamp = '2026-01-01T01:00:00Z';
    await world.reconcile();
    expect(workersOf(world.takeDeeds())).toEqual(['remove Deployment binance-0', 'remove Deployment binance-1']);
    world.endWorkers();
    await world.reconcile();
    expect(world.feed).toBeNull();
  });

  test('stays Ready through a hand-over, and is not any more when a shard has had no owner for 30 s', async () => {
    const world = await shardedWorld(2);
    world.roles.set(1, 'standby');
    await world.reconcile();
    world.nowMs += 29_000;
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
    world.nowMs += 1_000;
    await world.reconcile();
    expect(world.reason).toBe('NoOwner');
    expect(world.status.conditions?.[0]?.message).toBe(
      'Nobody writes the symbols of shard 1: binance-1-x says "standby: x owns it". ' +
        "Look into the workers' logs: they say what they wait for.",
    );
    world.roles.clear();
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });

  test('counts every hand-over anew', async () => {
    const world = await shardedWorld(2);
    for (let handOver = 0; handOver < 3; handOver++) {
      world.roles.set(1, 'standby');
      await world.reconcile();
      world.nowMs += 20_000;
      await world.reconcile();
      expect(world.reason).toBe('FeedReady');
      world.roles.clear();
      await world.reconcile();
    }
  });

  test('becomes Ready only once somebody writes each shard', async () => {
    const world = new World();
    world.feed = sampleFeed({ shards: 2 });
    world.roles.set(0, 'standby');
    await world.reconcile();
    world.startWorkers();
    await world.reconcile();
    expect(world.reason).toBe('SymbolsPending');
    world.roles.clear();
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });
});
