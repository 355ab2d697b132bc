// What is done to topics and rights while a worker writes: it goes on, or /status says what a person must do.
import { describe, expect, test } from 'vitest';
import { createTopics } from '../worker/feed-topics.ts';
import { setUp } from './set-up.ts';
import { readings, says, writes } from './stream.ts';

const tradesPerSecond = 500;

const authorizer = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};
const on = setUp({ brokers: 1, properties: authorizer });

describe('a worker', () => {
  test('writes on when a partition is added, and resumes from all of them', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const { normalized, raw } = on.stream.topics;
    const topicPartitions = [normalized, raw].map((topic) => ({ topic, count: 5 }));
    await on.world.admin.topics.createPartitions({ topicPartitions });
    await writes(worker);
    worker.child.kill('SIGKILL');
    await worker.exited;
    const again = on.stream.start('first');
    await writes(again);
    await on.stream.expectEachTradeOnce(again);
  });

  test('says that a topic is gone, and writes to the new one of that name', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const { normalized } = on.stream.topics;
    await on.stream.simulator.pause();
    await on.stream.untilWritten(worker);
    const before = await on.stream.topics.consume(normalized);
    await on.world.admin.topics.deleteTopics({ topics: [normalized] });
    await on.stream.simulator.resume();
    await says(worker, new RegExp(`topic ${normalized} does not exist; the controller makes it`));
    await createTopics(on.world.admin.topics, [{ topic: normalized, numPartitions: 3 }]);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker, before);
  });

  test('that may not use its transactional id says so, and goes on once it may', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const transactionalId = `test/${on.stream.topics.normalized}/0`;
    await on.world.admin.deny(transactionalId);
    await says(worker, /allow the worker's user Write and Describe on the transactional id/);
    await on.world.admin.allow(transactionalId);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('that never had the right to its transactional id is no owner, and says why', async () => {
    const transactionalId = `test/${on.stream.topics.normalized}/0`;
    await on.world.admin.deny(transactionalId);
    const worker = on.stream.start();
    await says(worker, /allow the worker's user Write and Describe on the transactional id, or set delivery/);
    await on.world.admin.allow(transactionalId);
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
    await on.stream.expectEachTradeOnce(worker);
  });

  test('writes as slowly as a quota lets it, stops reading meanwhile, and catches up', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    await on.world.admin.limitWrites(400_000);
    await on.stream.simulator.setRate({ tradesPerSecond: 4000 });
    await expect.poll(async () => (await readings(worker)).pauses, { timeout: 60_000 }).toBeGreaterThan(0);
    const { records } = await readings(worker);
    expect(records).toBeLessThan(101_000);
    await on.stream.simulator.setRate({ tradesPerSecond });
    await on.world.admin.limitWrites(null);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });
});
