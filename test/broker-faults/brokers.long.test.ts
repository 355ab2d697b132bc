// What takes minutes: three brokers that are away or hang for longer than requests and transactions may take.
import { describe, expect, test } from 'vitest';
import { setUp } from './set-up.ts';
import { readings, says, writes } from './stream.ts';

const tradesPerSecond = 500;
/** A request may take 10 s, and a transaction 60 s. */
const longerThanRequest = { timeout: 60_000, interval: 500 };
const longerThanTransaction = { timeout: 150_000, interval: 500 };

const on = setUp({ brokers: 3 });

describe('a worker goes on, and each trade is there once, when', () => {
  test('the leader of a partition is killed, and comes back', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const leader = await on.world.admin.leaderOf(on.stream.topics.normalized);
    await on.world.cluster.stop(leader, 'SIGKILL');
    await writes(worker);
    await on.world.cluster.start(leader);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('the transaction coordinator moves: its broker is stopped in good order', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const coordinator = await on.world.admin.coordinator();
    await on.world.cluster.stop(coordinator, 'SIGTERM');
    await writes(worker);
    expect(await on.world.admin.coordinator()).not.toBe(coordinator);
    await on.world.cluster.start(coordinator);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('every broker is restarted in good order, one after the other, twice', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    for (const id of [...on.world.cluster.ids, ...on.world.cluster.ids]) {
      await on.world.cluster.stop(id, 'SIGTERM');
      await writes(worker);
      await on.world.cluster.start(id);
      await on.world.admin.untilInSync();
    }
    await on.stream.expectEachTradeOnce(worker);
  });

  test('each broker hangs in its turn, and others must be asked', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    for (const id of on.world.cluster.ids) {
      on.world.cluster.pause(id);
      // Only what is asked of the others can bring so many: none of it waits in a socket's memory.
      await writes(worker, 10 * tradesPerSecond);
      on.world.cluster.resume(id);
      await on.world.admin.untilInSync();
    }
    await on.stream.expectEachTradeOnce(worker);
  });

  test('all brokers are killed at once, and come back', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    await Promise.all(on.world.cluster.ids.map((id) => on.world.cluster.stop(id, 'SIGKILL')));
    await says(worker, /cannot write to|does not answer/);
    await on.world.cluster.heal();
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('it is killed together with the leader of a partition', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const leader = await on.world.admin.leaderOf(on.stream.topics.normalized);
    worker.child.kill('SIGKILL');
    await on.world.cluster.stop(leader, 'SIGKILL');
    const again = on.stream.start('first');
    await writes(again);
    await on.world.cluster.start(leader);
    await on.stream.expectEachTradeOnce(again);
  });

  test('nothing passes the network for longer than a transaction may take', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    await on.stream.leaveOpen();
    on.world.network.stall();
    await says(worker, /cannot write to|does not answer/);
    await expect.poll(() => on.world.admin.openTransactions(), longerThanTransaction).toEqual([]);
    on.world.network.open();
    await expect.poll(async () => (await readings(worker)).records, longerThanRequest).toBeLessThan(tradesPerSecond);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });
});
