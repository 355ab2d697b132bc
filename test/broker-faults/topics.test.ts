// What is done to topics and rights while a worker writes: it goes on, or /status says what a person must do.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTopics } from '../worker/feed-topics.ts';
import { readings, Stream, says, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;

let world: World;
let stream: Stream;

beforeAll(async () => {
  const authorizer = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'true',
  };
  world = await startWorld({ brokers: 1, properties: authorizer });
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

describe('a worker', () => {
  test('writes on when a partition is added, and resumes from all of them', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const { normalized, raw } = stream.topics;
    const topicPartitions = [normalized, raw].map((topic) => ({ topic, count: 5 }));
    await world.admin.topics.createPartitions({ topicPartitions });
    await writes(worker);
    worker.child.kill('SIGKILL');
    await worker.exited;
    const again = stream.start('first');
    await writes(again);
    await stream.expectEachTradeOnce(again);
  });

  test('says that a topic is gone, and writes to the new one of that name', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const { normalized } = stream.topics;
    await stream.simulator.pause();
    await stream.untilWritten(worker);
    const before = await stream.topics.consume(normalized);
    await world.admin.topics.deleteTopics({ topics: [normalized] });
    await stream.simulator.resume();
    await says(worker, new RegExp(`topic ${normalized} does not exist; the controller makes it`));
    await createTopics(world.admin.topics, [{ topic: normalized, numPartitions: 3 }]);
    await writes(worker);
    await stream.expectEachTradeOnce(worker, before);
  });

  test('that may not use its transactional id says so, and goes on once it may', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const transactionalId = `test/${stream.topics.normalized}/0`;
    await world.admin.deny(transactionalId);
    await says(worker, /allow the worker's user Write and Describe on the transactional id/);
    await world.admin.allow(transactionalId);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('that never had the right to its transactional id is no owner, and says why', async () => {
    const transactionalId = `test/${stream.topics.normalized}/0`;
    await world.admin.deny(transactionalId);
    const worker = stream.start();
    await says(worker, /allow the worker's user Write and Describe on the transactional id, or set delivery/);
    await world.admin.allow(transactionalId);
    await writes(await stream.tradesFor(worker, tradesPerSecond));
    await stream.expectEachTradeOnce(worker);
  });

  test('writes as slowly as a quota lets it, stops reading meanwhile, and catches up', async () => {
    const worker = await stream.owner(tradesPerSecond);
    await world.admin.limitWrites(400_000);
    await stream.simulator.setRate({ tradesPerSecond: 4000 });
    await expect.poll(async () => (await readings(worker)).pauses, { timeout: 60_000 }).toBeGreaterThan(0);
    const { records } = await readings(worker);
    expect(records).toBeLessThan(101_000);
    await stream.simulator.setRate({ tradesPerSecond });
    await world.admin.limitWrites(null);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });
});
