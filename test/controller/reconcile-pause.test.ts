// The reconcile of feeds that are paused, and of feeds whose reconciliation is; the rest of it is in reconcile.test.ts.
import { describe, expect, test } from 'vitest';
import { type ExchangeFeedSpec, pauseReconciliationAnnotation, restartAnnotation } from '../../api/exchange-feed.ts';
import { ready, World } from './world.ts';

function change(world: World, spec: Partial<ExchangeFeedSpec>): void {
  if (!world.feed) return;
  const { metadata } = world.feed;
  const changed = { ...metadata, generation: metadata.generation + 1 };
  world.feed = { ...world.feed, metadata: changed, spec: { ...world.feed.spec, ...spec } };
}

function annotate(world: World, annotations: Record<string, string>): void {
  if (world.feed) world.feed = { ...world.feed, metadata: { ...world.feed.metadata, annotations } };
}

const condition = (world: World, type: string) => world.status.conditions?.find((it) => it.type === type);
const replicas = (world: World) => world.deployments.map(({ spec }) => spec.replicas);
const hold = { [pauseReconciliationAnnotation]: 'true' };

describe('a feed that is paused', () => {
  test('has its workers ended, keeps its Deployments, and gives its budgets up', async () => {
    const world = await ready();
    change(world, { standbys: 1, shards: 2 });
    await world.reconcile();
    expect(replicas(world)).toEqual([2, 2]);
    expect(world.budgets).toHaveLength(2);
    change(world, { state: 'Paused' });
    await world.reconcile();
    expect(replicas(world)).toEqual([0, 0]);
    expect(world.budgets).toEqual([]);
    world.pods = [];
    world.startWorkers();
    world.pods = [];
    await world.reconcile();
    expect(condition(world, 'WorkersAvailable')).toMatchObject({
      status: 'False',
      reason: 'WorkersPaused',
      message: 'The feed is paused, and no worker runs.',
    });
    expect(condition(world, 'Ready')?.status).toBe('False');
  });

  test('still has its topics and subjects kept right', async () => {
    const world = await ready();
    change(world, { state: 'Paused' });
    await world.reconcile();
    const { topics } = world.feed?.spec ?? {};
    if (topics) change(world, { topics: { ...topics, partitions: 6 } });
    world.takeDeeds();
    await world.reconcile();
    expect(world.takeDeeds()).toContain('grow topics');
    world.subjects.clear();
    world.nowMs += 400_000;
    await world.reconcile();
    expect(world.takeDeeds()).toContain('register subjects');
    expect(replicas(world)).toEqual([0]);
  });

  test('has its workers ended although the broker is away', async () => {
    const world = await ready();
    world.isBrokerAway = true;
    change(world, { state: 'Paused' });
    await world.reconcile();
    expect(replicas(world)).toEqual([0]);
    expect(condition(world, 'TopicsReady')?.reason).toBe('BrokerUnreachable');
  });

  test('has its workers ended although it cannot be carried out', async () => {
    const world = await ready();
    change(world, { state: 'Paused', worker: { podLabels: { 'feeds.k2.dev/shard': '7' } } });
    await world.reconcile();
    expect(world.takeDeeds()).toContain('remove Deployment binance-0');
    expect(world.reason).toBe('InvalidSpec');
  });

  test('goes on with the workers it had when it is resumed', async () => {
    const world = await ready();
    const [before] = world.deployments;
    change(world, { state: 'Paused' });
    await world.reconcile();
    change(world, { state: 'Running' });
    await world.reconcile();
    expect(replicas(world)).toEqual([1]);
    expect(world.deployments[0]?.spec).toEqual(before?.spec);
    world.startWorkers();
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });

  test('leads to no write and no question once its workers have ended, and to a look every five minutes', async () => {
    const world = await ready();
    change(world, { state: 'Paused' });
    await world.reconcile();
    world.startWorkers();
    world.pods = [];
    await world.reconcile();
    world.takeDeeds();
    expect(await world.reconcile()).toBe(300_000);
    expect(world.takeDeeds()).toEqual([]);
  });
});

describe('a feed whose reconciliation is paused', () => {
  test('has nothing outside changed, and stays Ready while it streams as it should', async () => {
    const world = await ready();
    annotate(world, hold);
    await world.reconcile();
    world.takeDeeds();
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
    expect(world.reason).toBe('FeedReady');
  });

  test('says which changes wait, and counts its generation as observed', async () => {
    const world = await ready();
    annotate(world, hold);
    change(world, { symbols: ['BTCUSDT'], delivery: 'AtLeastOnce' });
    world.topics.delete('market.crypto.trades.binance');
    world.subjects.clear();
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['look at topics', 'look at subjects', 'write status']);
    expect(world.status.observedGeneration).toBe(2);
    expect(condition(world, 'Ready')).toMatchObject({ status: 'False', reason: 'ChangesHeld', observedGeneration: 2 });
    expect(condition(world, 'Ready')?.message).toMatch(
      /create topics market\.crypto\.trades\.binance; register subjects .*; apply Deployment binance-0\. Remove/,
    );
    expect(condition(world, 'TopicsReady')?.message).toMatch(/waits: create topics/);
    expect(condition(world, 'SubjectsReady')?.message).toMatch(/waits: register subjects/);
    expect(condition(world, 'WorkersAvailable')?.message).toMatch(/waits: apply Deployment binance-0/);
  });

  test('is not given a finalizer when it is new', async () => {
    const world = new World();
    annotate(world, hold);
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['look at topics', 'look at subjects', 'write status']);
    expect(world.deployments).toEqual([]);
  });

  test('has what waited done once the pause ends', async () => {
    const world = await ready();
    annotate(world, hold);
    world.topics.delete('market.crypto.trades.binance');
    change(world, { standbys: 1 });
    await world.reconcile();
    world.takeDeeds();
    annotate(world, {});
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(expect.arrayContaining(['create topics', 'apply Deployment binance-0']));
  });

  test('does not have its workers ended by a pause of its own', async () => {
    const world = await ready();
    annotate(world, hold);
    change(world, { state: 'Paused' });
    await world.reconcile();
    expect(replicas(world)).toEqual([1]);
  });

  test('can still be deleted', async () => {
    const world = await ready();
    annotate(world, hold);
    if (!world.feed) return;
    world.feed = { ...world.feed, metadata: { ...world.feed.metadata, deletionTimestamp: '2026-01-01T01:00:00Z' } };
    await world.reconcile();
    expect(world.takeDeeds()).toContain('remove Deployment binance-0');
    world.endWorkers();
    await world.reconcile();
    expect(world.feed).toBeNull();
  });

  test.each(['false', '', 'True'])('is one only if the annotation says "true": "%s"', async (value) => {
    const world = new World();
    annotate(world, { [pauseReconciliationAnnotation]: value });
    await world.reconcile();
    expect(world.deployments).toHaveLength(1);
  });
});

test('another wish for a restart replaces the workers, and asks neither broker nor registry', async () => {
  const world = await ready();
  annotate(world, { [restartAnnotation]: '2026-01-01T12:00:00Z' });
  await world.reconcile();
  expect(world.takeDeeds()).toEqual(['apply Deployment binance-0', 'write status']);
  expect(world.reason).toBe('WorkersStarting');
});
