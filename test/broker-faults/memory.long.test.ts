// A broker that forgets: producers and transactional ids that were idle for some seconds, topics that are deleted.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTopics } from '../worker/feed-topics.ts';
import { becomes, later, Stream, says, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;

let world: World;
let stream: Stream;

beforeAll(async () => {
  const properties = {
    'producer.id.expiration.ms': 1000,
    'producer.id.expiration.check.interval.ms': 200,
    // The owner's sign of life comes every 5 s, so only one that hangs is forgotten.
    'transactional.id.expiration.ms': 12_000,
    'transaction.remove.expired.transaction.cleanup.interval.ms': 500,
  };
  world = await startWorld({ brokers: 1, properties });
});
afterAll(() => world.close());
beforeEach(async () => {
  stream = await Stream.create(world);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') stream?.tell();
  await world.heal();
  await stream?.close();
});

describe('each trade is there once', () => {
  test('when the broker has forgotten the producer of a quiet market', async () => {
    const worker = await stream.owner(tradesPerSecond);
    await stream.simulator.pause();
    await stream.untilWritten(worker);
    const producersOf = () => world.admin.producersOf(stream.topics.normalized);
    await expect.poll(producersOf, later).toEqual([]);
    await stream.simulator.resume();
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('when the coordinator has forgotten the transactional id of a worker that hung', async () => {
    // What it leaves open is aborted after this time; only then does the id count as idle.
    world.network.open(1500);
    const worker = await stream.owner(tradesPerSecond);
    worker.child.kill('SIGSTOP');
    await expect.poll(() => world.admin.transactionalIds(), later).toEqual([]);
    worker.child.kill('SIGCONT');
    await becomes(worker, 'owner');
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('when the cursor topic is deleted and made anew, also after a restart', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const { cursors } = stream.topics;
    await world.admin.topics.deleteTopics({ topics: [cursors] });
    await says(worker, new RegExp(cursors));
    await stream.topics.addCursors(cursors);
    await writes(worker);
    worker.child.kill('SIGKILL');
    await worker.exited;
    const again = stream.start('first');
    await writes(again);
    await stream.expectEachTradeOnce(again);
  });

  test('when a topic is made anew with fewer partitions', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const { normalized } = stream.topics;
    await stream.simulator.pause();
    await stream.untilWritten(worker);
    const before = await stream.topics.consume(normalized);
    await world.admin.topics.deleteTopics({ topics: [normalized] });
    await createTopics(world.admin.topics, [{ topic: normalized, numPartitions: 1 }]);
    await stream.simulator.resume();
    await writes(worker);
    await stream.expectEachTradeOnce(worker, before);
  });
});
