// What takes minutes: three brokers that are away or hang for longer than requests and transactions may take.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readings, Stream, says, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;
/** A request may take 10 s, and a transaction 60 s. */
const longerThanRequest = { timeout: 60_000, interval: 500 };
const longerThanTransaction = { timeout: 150_000, interval: 500 };

let world: World;
let stream: Stream;

beforeAll(async () => {
  world = await startWorld({ brokers: 3 });
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

describe('a worker goes on, and each trade is there once, when', () => {
  test('the leader of a partition is killed, and comes back', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const leader = await world.admin.leaderOf(stream.topics.normalized);
    await world.cluster.stop(leader, 'SIGKILL');
    await writes(worker);
    await world.cluster.start(leader);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('the transaction coordinator moves: its broker is stopped in good order', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const coordinator = await world.admin.coordinator();
    await world.cluster.stop(coordinator, 'SIGTERM');
    await writes(worker);
    expect(await world.admin.coordinator()).not.toBe(coordinator);
    await world.cluster.start(coordinator);
    await stream.expectEachTradeOnce(worker);
  });

  test('every broker is restarted in good order, one after the other, twice', async () => {
    const worker = await stream.owner(tradesPerSecond);
    for (const id of [...world.cluster.ids, ...world.cluster.ids]) {
      await world.cluster.stop(id, 'SIGTERM');
      await writes(worker);
      await world.cluster.start(id);
      await world.admin.untilInSync();
    }
    await stream.expectEachTradeOnce(worker);
  });

  test('each broker hangs in its turn, and others must be asked', async () => {
    const worker = await stream.owner(tradesPerSecond);
    for (const id of world.cluster.ids) {
      world.cluster.pause(id);
      // Only what is asked of the others can bring so many: none of it waits in a socket's memory.
      await writes(worker, 10 * tradesPerSecond);
      world.cluster.resume(id);
      await world.admin.untilInSync();
    }
    await stream.expectEachTradeOnce(worker);
  });

  test('all brokers are killed at once, and come back', async () => {
    const worker = await stream.owner(tradesPerSecond);
    await Promise.all(world.cluster.ids.map((id) => world.cluster.stop(id, 'SIGKILL')));
    await says(worker, /cannot write to|does not answer/);
    await world.cluster.heal();
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('it is killed together with the leader of a partition', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const leader = await world.admin.leaderOf(stream.topics.normalized);
    worker.child.kill('SIGKILL');
    await world.cluster.stop(leader, 'SIGKILL');
    const again = stream.start('first');
    await writes(again);
    await world.cluster.start(leader);
    await stream.expectEachTradeOnce(again);
  });

  test('nothing passes the network for longer than a transaction may take', async () => {
    const worker = await stream.owner(tradesPerSecond);
    await stream.leaveOpen();
    world.network.stall();
    await says(worker, /cannot write to|does not answer/);
    await expect.poll(() => world.admin.openTransactions(), longerThanTransaction).toEqual([]);
    world.network.open();
    await expect.poll(async () => (await readings(worker)).records, longerThanRequest).toBeLessThan(tradesPerSecond);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });
});
