import { describe, expect, test } from 'vitest';
import type { DeletionPolicy, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import { desire } from '../../controller/desired.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';
import { World } from './world.ts';

const topics = [
  'market.crypto.trades.binance.raw',
  'market.crypto.trades.binance',
  'market.crypto.trades.binance.raw.dlq',
  'market.crypto.cursors.binance',
];
const subjects = ['market.crypto.trades.binance.raw-value', 'market.crypto.trades.binance-value'];

/** A feed that streams, and that somebody has just deleted. */
async function deleted(changes: Partial<ExchangeFeedSpec>, prepare: (world: World) => void = () => {}): Promise<World> {
  const world = new World();
  world.feed = sampleFeed(changes);
  prepare(world);
  await world.reconcile();
  world.startWorkers();
  await world.reconcile();
  expect(world.reason).toBe('FeedReady');
  if (world.feed === null) throw new Error('the feed is gone');
  const metadata = { ...world.feed.metadata, generation: 2, deletionTimestamp: '2026-01-01T01:00:00Z' };
  world.feed = { ...world.feed, metadata };
  world.takeDeeds();
  world.events.splice(0);
  return world;
}

/** Reconciles until the feed is gone; how many seconds of the world's clock that took. */
async function secondsUntilGone(world: World): Promise<number> {
  const startMs = world.nowMs;
  while (world.feed !== null) {
    const delayMs = await world.reconcile();
    world.nowMs += delayMs ?? 0;
    if (world.nowMs - startMs > 600_000) throw new Error(`still there: ${world.status.conditions?.[0]?.message}`);
  }
  return (world.nowMs - startMs) / 1000;
}

const message = (world: World) => world.status.conditions?.[0]?.message;

describe('a deleted feed with deletionPolicy Delete', () => {
  test('ends its workers, then deletes the topics and subjects that were made for it, then goes', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['remove Deployment binance-0', 'write status']);
    expect(message(world)).toBe('The feed is deleted once its workers have ended.');
    world.endWorkers();
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([
      `delete topics ${topics.join(' ')}`,
      `delete subjects ${subjects.join(' ')}`,
      'remove finalizer',
    ]);
    expect(world.feed).toBeNull();
    expect(world.events).toEqual([
      'Normal WorkersEnding',
      'Normal Deleting',
      'Normal WorkersEnded',
      'Normal TopicsDeleted',
      'Normal SubjectsDeleted',
    ]);
  });

  test('leaves a topic and a subject that were there before it', async () => {
    const before = (world: World) => {
      const config = { 'retention.ms': String(48 * 3_600_000) };
      world.topics.set('market.crypto.trades.binance', {
        partitions: 3,
        replicationFactor: 1,
        config,
        isAdopted: true,
      });
      world.subjects.set('market.crypto.trades.binance-value', 1);
    };
    const world = await deleted({ deletionPolicy: 'Delete' }, before);
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    expect([...world.topics.keys()]).toEqual(['market.crypto.trades.binance']);
    expect([...world.subjects.keys()]).toEqual(['market.crypto.trades.binance-value']);
    expect(world.events).toContain('Normal TopicsKept');
  });

  const leftBeside = async (deletionPolicy: DeletionPolicy, deletionTimestamp: string | null, isRunning: boolean) => {
    const { metadata, ...rest } = sampleFeed({ symbols: ['SOLUSDT'], deletionPolicy });
    const other = { ...metadata, name: 'other', uid: 'other', ...(deletionTimestamp && { deletionTimestamp }) };
    const world = await deleted({ deletionPolicy: 'Delete' }, (it) => {
      it.others = [{ ...rest, metadata: other }];
    });
    const { workload } = desire(sampleFeed(), config, schemas);
    if (isRunning) world.workloads.set('market-data/other', { workload, pods: [] });
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    expect(world.feed).toBeNull();
    return [world.topics.size, world.subjects.size];
  };

  test('leaves what another feed uses, be that one about to go as well and its workers not', async () => {
    expect(await leftBeside('Delete', null, true)).toEqual([4, 2]);
    expect(await leftBeside('Delete', '2026-01-01T01:00:00Z', true)).toEqual([4, 2]);
    expect(await leftBeside('Retain', '2026-01-01T01:00:00Z', false)).toEqual([4, 2]);
  });

  test('takes what it shares with others that go: the one whose workers end last does', async () => {
    expect(await leftBeside('Delete', '2026-01-01T01:00:00Z', false)).toEqual([0, 0]);
  });

  test('waits for a broker that is away, says so, and then goes without it', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    world.isBrokerAway = true;
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    expect(message(world)).toBe('Topics and subjects are deleted next: connection refused.');
    expect(await secondsUntilGone(world)).toBe(60);
    expect(world.events).toContain('Warning TopicsLeft');
    expect(world.topics.size).toBe(4);
    expect(world.subjects.size).toBe(0);
  });

  test('deletes the topics when only the registry is away, and goes without it in the end', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    world.isRegistryAway = true;
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    expect(world.topics.size).toBe(0);
    expect(await secondsUntilGone(world)).toBe(60);
    expect(world.takeDeeds().filter((deed) => deed.startsWith('delete topics'))).toHaveLength(1);
  });

  test('takes it up again when the broker comes back in time', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    world.isBrokerAway = true;
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    world.isBrokerAway = false;
    await world.reconcile();
    expect([world.topics.size, world.feed]).toEqual([0, null]);
  });

  test('leaves the topics when a node does not end its workers, since they may still write', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    expect(await secondsUntilGone(world)).toBe(60);
    expect(world.topics.size).toBe(4);
    expect(world.events).toEqual(['Normal WorkersEnding', 'Normal Deleting', 'Warning WorkersLeft']);
  });

  test('goes when the API server does not let its workers be deleted', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    world.isDeletionForbidden = true;
    await world.reconcile();
    expect(message(world)).toBe('The feed is deleted once its workers have ended: deployments is forbidden.');
    expect(await secondsUntilGone(world)).toBe(60);
  });

  test('whose exchange this version does not know goes, and says that it leaves its topics', async () => {
    const world = await deleted({ deletionPolicy: 'Delete' });
    if (world.feed) world.feed = { ...world.feed, spec: { ...world.feed.spec, exchange: 'bitstamp' } };
    await world.reconcile();
    world.endWorkers();
    expect(await secondsUntilGone(world)).toBe(60);
    expect(world.events.at(-1)).toBe('Warning TopicsLeft');
    expect(world.topics.size).toBe(4);
  });
});

describe('a deleted feed with deletionPolicy Retain', () => {
  test('leaves all, asks neither broker nor registry, and says so', async () => {
    const world = await deleted({ deletionPolicy: 'Retain' });
    world.isBrokerAway = true;
    world.isRegistryAway = true;
    await world.reconcile();
    world.endWorkers();
    await world.reconcile();
    expect([world.topics.size, world.subjects.size, world.feed]).toEqual([4, 2, null]);
    expect(world.events).toEqual([
      'Normal WorkersEnding',
      'Normal Deleting',
      'Normal WorkersEnded',
      'Normal TopicsRetained',
    ]);
  });
});

test('a feed that was deleted before it got its finalizer holds nothing up', async () => {
  const world = new World();
  const feed = sampleFeed({ deletionPolicy: 'Delete' });
  world.feed = { ...feed, metadata: { ...feed.metadata, deletionTimestamp: '2026-01-01T01:00:00Z' } };
  expect(await world.reconcile()).toBeNull();
  expect(world.takeDeeds()).toEqual([]);
});
