// What a worker does when it cannot know what a broker has done: requests and answers that are lost or come late, and
// transactions that the coordinator gives up. One broker is enough for that.
import { describe, expect, test } from 'vitest';
import type { RequestFault } from './broker-network.ts';
import { setUp } from './set-up.ts';
import { becomes, later, writes } from './stream.ts';

const tradesPerSecond = 500;
const rounds = 4;

const on = setUp({ brokers: 1 });

const faults: RequestFault[] = ['request lost', 'answer lost', 'request late'];

describe('each trade is there once', () => {
  test.each(faults)('when of each kind of request several have the %s', async (fault) => {
    const worker = await on.stream.owner(tradesPerSecond);
    for (const api of ['end', 'addPartitions', 'produce', 'end', 'addPartitions', 'produce'] as const) {
      on.world.network.fault(api, fault);
      await expect.poll(() => on.world.network.faultsLeft(), later).toBe(0);
      await writes(worker, 100);
      on.world.network.deliverLate();
      await writes(worker, 100);
    }
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when the next epoch was given, and its answer is lost', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    for (let round = 0; round < rounds; round++) {
      on.world.network.fault('initProducerId', 'answer lost', 2);
      on.world.network.fault('end', 'answer lost');
      await expect.poll(() => on.world.network.faultsLeft(), later).toBe(0);
      await writes(worker, 100);
    }
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when the answers to six repeats of a commit are lost, one after the other', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    on.world.network.fault('end', 'answer lost', 6);
    await expect.poll(() => on.world.network.faultsLeft(), later).toBe(0);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when all connections are cut again and again', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    for (let round = 0; round < 2 * rounds; round++) {
      on.world.network.cut();
      on.world.network.open();
      await writes(worker, 100);
    }
    await on.stream.expectEachTradeOnce(worker);
  });

  test('when a worker hangs for longer than its transaction may take', async () => {
    on.world.network.open(1500);
    const worker = await on.stream.owner(tradesPerSecond);
    await on.stream.leaveOpen();
    worker.child.kill('SIGSTOP');
    await expect.poll(() => on.world.admin.openTransactions(), later).toEqual([]);
    on.world.network.open();
    worker.child.kill('SIGCONT');
    await becomes(worker, 'owner');
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });
});
