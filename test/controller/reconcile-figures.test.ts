// Live figures from one look to the next: when they are written, and what a restart does to them.
import { beforeEach, describe, expect, test } from 'vitest';
import { proven, sampleFeed } from './sample-feed.ts';
import { World } from './world.ts';

const minuteMs = 60_000;
let world: World;

/** Once it is Ready, and its figures have settled. */
beforeEach(async () => {
  world = new World();
  world.feed = sampleFeed();
  await world.reconcile();
  world.startWorkers();
  await world.reconcile();
  await look(1);
  world.takeDeeds();
});

async function look(minutes: number) {
  world.nowMs += minutes * minuteMs;
  await world.reconcile();
  return world.status.live;
}
const written = () => world.takeDeeds().includes('write status');
const counts = (written: number, missing = 0) => {
  const lost = { firstId: '1', lastId: '2', state: 'lost' as const, message: 'gone', timeMs: 0 };
  world.continuity = { ...proven, written, missing, proven: missing === 0, gaps: missing > 0 ? [lost] : [] };
};

describe('figures are written', () => {
  test('at most every 30 s', async () => {
    world.tradesPerSecond = 7;
    await look(0.5);
    expect(written()).toBe(true);
    world.tradesPerSecond = 8;
    await look(0.25);
    expect(written()).toBe(false);
    await look(0.25);
    expect(written()).toBe(true);
  });
});

describe('completeness', () => {
  test('is that of the last hour, and that since the first trade', async () => {
    counts(1000, 0);
    await look(1);
    counts(1899, 1);
    expect(await look(1)).toMatchObject({ completeness: '99.94%', completenessSinceStart: '99.94%', missing: 2 });
    for (let minute = 0; minute < 70; minute++) await look(1);
    expect(world.status.live).toMatchObject({ completeness: '100%', completenessSinceStart: '99.94%' });
  });

  test('is no better for a worker that was restarted and counts anew', async () => {
    counts(1000, 0);
    await look(1);
    counts(1900, 100);
    expect(await look(1)).toMatchObject({ completeness: '94.97%', completenessSinceStart: '95%' });
    counts(1, 0);
    expect(await look(1)).toMatchObject({ completeness: '94.97%', completenessSinceStart: '95%', missing: 0 });
    counts(500, 0);
    expect(await look(50)).toMatchObject({ completeness: '94.97%', completenessSinceStart: '95%' });
    counts(1900, 0);
    expect(await look(20)).toMatchObject({ completeness: '100%', completenessSinceStart: '100%' });
  });

  test('is no better for a new spec', async () => {
    counts(1000, 0);
    await look(1);
    counts(1900, 100);
    await look(1);
    if (world.feed) world.feed = { ...world.feed, metadata: { ...world.feed.metadata, generation: 2 } };
    counts(1, 0);
    expect(await look(1)).toMatchObject({ completeness: '94.97%', completenessSinceStart: '95%' });
  });
});
