import { describe, expect, test } from 'vitest';
import { sampleFeed } from './sample-feed.ts';
import { ready, World } from './world.ts';

describe('a new feed', () => {
  test('gets its finalizer first, then topics, subjects and workers, and one status in the end', async () => {
    const world = new World();
    await world.reconcile();
    const looks = ['look at topics', 'look at subjects'];
    expect(world.takeDeeds()).toEqual([
      'add finalizer',
      ...looks,
      'create topics',
      'register subjects',
      'apply Deployment binance-0',
      ...looks,
      'write status',
    ]);
    expect(world.reason).toBe('WorkersStarting');
  });

  test('is looked at every second at first, less often later, and at least every 10 s until it is Ready', async () => {
    const world = new World();
    const delaysMs: (number | null)[] = [];
    for (let look = 0; look < 6; look++) delaysMs.push(await world.reconcile());
    expect(delaysMs).toEqual([1_500, 3_000, 6_000, 7_500, 7_500, 7_500]);
    world.startWorkers();
    expect(await world.reconcile()).toBe(5_000);
    expect(await world.reconcile()).toBe(30_000);
  });

  test('asks broker and registry once, however often it is looked at until it is Ready', async () => {
    const world = new World();
    await world.reconcile();
    world.takeDeeds();
    for (let look = 0; look < 5; look++) await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
  });
});

describe('a converged feed', () => {
  test('leads to no write and no question at all', async () => {
    const world = await ready();
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
  });

  test('has its live figures written 5 s after it became Ready, when there is a rate to tell', async () => {
    const world = await ready();
    world.tradesPerSecond = 150;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
    world.nowMs += 5_000;
    await world.reconcile();
    expect(world.status.live?.tradesPerSecond).toBe(150);
  });

  test('has its live figures written every 30 s at most from then on, and only if they changed', async () => {
    const world = await ready();
    world.nowMs += 5_000;
    await world.reconcile();
    world.takeDeeds();
    world.tradesPerSecond = 200;
    world.nowMs += 10_000;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
    world.nowMs += 20_000;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['write status']);
    expect(world.status.live?.tradesPerSecond).toBe(200);
  });

  test('is compared with broker and registry again after about 5 minutes, and what drifted is set right', async () => {
    const world = await ready();
    const name = 'market.crypto.trades.binance';
    world.topics.set(name, { partitions: 3, replicationFactor: 1, config: { 'retention.ms': '1' } });
    world.subjects.clear();
    world.nowMs += 240_000;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['write status']);
    world.nowMs += 100_000;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(expect.arrayContaining(['configure topics', 'register subjects']));
    expect(world.topics.get(name)?.config).toEqual({ 'retention.ms': String(48 * 3_600_000) });
  });

  test('gets a deleted or edited Deployment back', async () => {
    const world = await ready();
    for (const deployment of world.deployments) deployment.spec.replicas = 7;
    await world.reconcile();
    expect(world.deployments.map(({ spec }) => spec.replicas)).toEqual([1]);
    world.deployments = [];
    await world.reconcile();
    expect(world.deployments).toHaveLength(1);
  });

  test('is looked at afresh when its spec changes', async () => {
    const world = await ready();
    const feed = sampleFeed({ topics: { ...sampleFeed().spec.topics, partitions: 6 } });
    world.feed = { ...feed, metadata: { ...feed.metadata, generation: 2, finalizers: ['feeds.k2.dev/workers'] } };
    await world.reconcile();
    expect(world.takeDeeds()).toContain('grow topics');
    expect(world.status.observedGeneration).toBe(2);
  });
});

describe('a feed that lacks trades', () => {
  const gap = { firstId: '102', lastId: '103', state: 'open' as const, message: '' };

  test('is not Ready until they are there, and says which ones', async () => {
    const world = await ready();
    const whole = world.continuity;
    world.continuity = { ...whole, proven: false, missing: 2, gaps: [gap] };
    await world.reconcile();
    expect(world.reason).toBe('GapsOpen');
    expect(world.status.conditions?.[0]).toMatchObject({
      status: 'False',
      message: expect.stringMatching(
        /^4 trades of 2 symbols are missing: BTCUSDT 102 to 103, ETHUSDT 102 to 103\. The/,
      ),
    });
    world.continuity = whole;
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });

  test('for good is not Ready, and is looked at no more often than one that is', async () => {
    const world = await ready();
    const lost = { ...gap, state: 'lost' as const, message: "the exchange's history does not have these trades" };
    world.continuity = { ...world.continuity, proven: false, missing: 2, gaps: [lost] };
    expect(await world.reconcile()).toBe(30_000);
    expect(await world.reconcile()).toBe(30_000);
    expect(world.reason).toBe('TradesLost');
    expect(world.status.conditions?.[0]?.message).toContain('ETHUSDT 102 to 103 (lost: the exchange');
  });

  test('of an exchange that cannot prove it is Ready, and says that it is not provable', async () => {
    const world = await ready();
    world.continuity = { ...world.continuity, proven: false, provable: false, message: 'ids are not numbered' };
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
    expect(world.status.conditions?.find(({ type }) => type === 'DataComplete')).toMatchObject({
      status: 'Unknown',
      reason: 'NotProvable',
      message: 'BTCUSDT: ids are not numbered.',
    });
  });
});

describe('a feed whose broker or registry is away', () => {
  test('says so, makes no workers, is tried again with backoff, and recovers by itself', async () => {
    const world = new World();
    world.isBrokerAway = true;
    const delaysMs: (number | null)[] = [];
    for (let look = 0; look < 7; look++) delaysMs.push(await world.reconcile());
    expect(world.reason).toBe('BrokerUnreachable');
    expect(world.deployments).toEqual([]);
    expect(delaysMs.at(0)).toBe(1_500);
    expect(delaysMs.at(-1)).toBe(22_500);
    world.isBrokerAway = false;
    await world.reconcile();
    world.startWorkers();
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });

  test('keeps the workers it has', async () => {
    const world = await ready();
    world.isRegistryAway = true;
    world.nowMs += 400_000;
    await world.reconcile();
    expect(world.reason).toBe('RegistryUnreachable');
    expect(world.status.conditions?.find(({ type }) => type === 'Streaming')?.status).toBe('True');
    expect(world.takeDeeds().filter((deed) => deed.includes('Deployment'))).toEqual([]);
  });
});

describe('a feed that cannot be carried out', () => {
  test('for an exchange that this version does not know says which ones it knows', async () => {
    const world = new World();
    world.feed = sampleFeed({ exchange: 'bitstamp' });
    expect(await world.reconcile()).toBe(300_000);
    expect(world.status.conditions?.[0]).toMatchObject({
      reason: 'UnknownExchange',
      message: expect.stringContaining('exchange "bitstamp" is not one of: binance'),
    });
    expect(world.takeDeeds()).toEqual(['write status']);
  });

  test('because the API server refuses its workers tries again without asking the broker each time', async () => {
    const world = new World();
    world.isQuotaExceeded = true;
    await world.reconcile();
    expect(world.reason).toBe('WorkersRefused');
    world.takeDeeds();
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
    world.isQuotaExceeded = false;
    await world.reconcile();
    expect(world.deployments).toHaveLength(1);
  });

  test('because a topic is larger is refused, touches nothing, and is looked at again after minutes', async () => {
    const world = new World();
    const name = 'market.crypto.trades.binance';
    world.topics.set(name, { partitions: 12, replicationFactor: 1, config: {} });
    expect(await world.reconcile()).toBe(300_000);
    expect(world.reason).toBe('PartitionShrinkRefused');
    expect(world.topics.get(name)).toEqual({ partitions: 12, replicationFactor: 1, config: {} });
    expect(world.deployments).toEqual([]);
  });
});

describe('a deleted feed', () => {
  const remove = (world: World) => {
    if (!world.feed) return;
    const metadata = { ...world.feed.metadata, generation: 2, deletionTimestamp: '2026-01-01T01:00:00Z' };
    world.feed = { ...world.feed, metadata };
  };

  test('stays until its workers are gone, and leaves topics and subjects', async () => {
    const world = await ready();
    remove(world);
    expect(await world.reconcile()).toBe(1_000);
    expect(world.takeDeeds()).toEqual(['remove Deployment binance-0', 'write status']);
    expect(world.reason).toBe('Deleting');
    await world.reconcile();
    expect(world.takeDeeds()).toEqual([]);
    world.deployments = [];
    expect(await world.reconcile()).toBe(1_000);
    world.pods = [];
    expect(await world.reconcile()).toBeNull();
    expect(world.takeDeeds()).toContain('remove finalizer');
    expect(world.topics.size).toBe(4);
    expect(world.subjects.size).toBe(2);
  });

  test('does not stay for ever when a node does not end its worker', async () => {
    const world = await ready();
    remove(world);
    await world.reconcile();
    world.nowMs += 60_000;
    expect(await world.reconcile()).toBeNull();
    expect(world.feed).toBeNull();
  });

  test('goes at once when broker and registry are away', async () => {
    const world = await ready();
    remove(world);
    world.isBrokerAway = true;
    world.isRegistryAway = true;
    world.deployments = [];
    world.pods = [];
    expect(await world.reconcile()).toBeNull();
    expect(world.feed).toBeNull();
  });

  test('is forgotten', async () => {
    const world = await ready();
    world.feed = null;
    expect(await world.reconcile()).toBeNull();
    expect(world.takeDeeds()).toEqual([]);
  });
});
