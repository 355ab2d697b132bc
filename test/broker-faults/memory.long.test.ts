// A broker that forgets: producers and transactional ids that were idle for some seconds, topics that are deleted.
import { describe, expect, test } from 'vitest';
import { createTopics } from '../worker/feed-topics.ts';
import { setUp } from './set-up.ts';
import { becomes, later, says, writes } from './stream.ts';

const tradesPerSecond = 500;

const properties = {
  'producer.id.expiration.ms': 1000,
  'producer.id.expiration.check.interval.ms': 200,
  // The owner's sign of life comes every 5 s, so only one that hangs is forgotten.
  'transactional.id.expiration.ms': 12_000,
  'transaction.remove.expired.transaction.cleanup.interval.ms': 500,
};
const on = setUp({ brokers: 1, properties });

describe('each trade is there once', () => {
  test('when the broker has forgotten the producer of a quiet market', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    await on.stream.simulator.pause();
    await on.stream.untilWritten(worker);
    const producersOf = () => on.world.admin.producersOf(on.stream.topics.normalized);
    await expect.poll(producersOf, later).toEqual([]);
    await on.stream.simulator.resume();
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when the coordinator has forgotten the transactional id of a worker that hung', async () => {
    // What it leaves open is aborted after this time; only then does the id count as idle.
    on.world.network.open(1500);
    const worker = await on.stream.owner(tradesPerSecond);
    worker.child.kill('SIGSTOP');
    await expect.poll(() => on.world.admin.transactionalIds(), later).toEqual([]);
    worker.child.kill('SIGCONT');
    await becomes(worker, 'owner');
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when the cursor topic is deleted and made anew, also after a restart', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const { cursors } = on.stream.topics;
    await on.world.admin.topics.deleteTopics({ topics: [cursors] });
    await says(worker, new RegExp(cursors));
    await on.stream.topics.addCursors(cursors);
    await writes(worker);
    worker.child.kill('SIGKILL');
    await worker.exited;
    const again = on.stream.start('first');
    await writes(again);
    await on.stream.expectEachTradeOnce(again);
  });

  test('when a topic is made anew with fewer partitions', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const { normalized } = on.stream.topics;
    await on.stream.simulator.pause();
    await on.stream.untilWritten(worker);
    const before = await on.stream.topics.consume(normalized);
    await on.world.admin.topics.deleteTopics({ topics: [normalized] });
    await createTopics(on.world.admin.topics, [{ topic: normalized, numPartitions: 1 }]);
    await on.stream.simulator.resume();
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker, before);
  });
});
