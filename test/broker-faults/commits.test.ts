// What a worker does when it cannot know what a broker has done: requests and answers that are lost or come late, and
// transactions that the coordinator gives up. One broker is enough for that.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RequestFault } from './broker-network.ts';
import { becomes, later, Stream, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;
const rounds = 4;

let world: World;
let stream: Stream;

beforeAll(async () => {
  world = await startWorld({ brokers: 1 });
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

const faults: RequestFault[] = ['request lost', 'answer lost', 'request late'];

describe('each trade is there once', () => {
  test.each(faults)('when of each kind of request several have the %s', async (fault) => {
    const worker = await stream.owner(tradesPerSecond);
    for (const api of ['end', 'addPartitions', 'produce', 'end', 'addPartitions', 'produce'] as const) {
      world.network.fault(api, fault);
      await expect.poll(() => world.network.faultsLeft(), later).toBe(0);
      await writes(worker, 100);
      world.network.deliverLate();
      await writes(worker, 100);
    }
    await stream.expectEachTradeOnce(worker);
  });

  test('when the next epoch was given, and its answer is lost', async () => {
    const worker = await stream.owner(tradesPerSecond);
    for (let round = 0; round < rounds; round++) {
      world.network.fault('initProducerId', 'answer lost', 2);
      world.network.fault('end', 'answer lost');
      await expect.poll(() => world.network.faultsLeft(), later).toBe(0);
      await writes(worker, 100);
    }
    await stream.expectEachTradeOnce(worker);
  });

  test('when the answers to six repeats of a commit are lost, one after the other', async () => {
    const worker = await stream.owner(tradesPerSecond);
    world.network.fault('end', 'answer lost', 6);
    await expect.poll(() => world.network.faultsLeft(), later).toBe(0);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('when all connections are cut again and again', async () => {
    const worker = await stream.owner(tradesPerSecond);
    for (let round = 0; round < 2 * rounds; round++) {
      world.network.cut();
      world.network.open();
      await writes(worker, 100);
    }
    await stream.expectEachTradeOnce(worker);
  });

  test('when a worker hangs for longer than its transaction may take', async () => {
    world.network.open(1500);
    const worker = await stream.owner(tradesPerSecond);
    await stream.leaveOpen();
    worker.child.kill('SIGSTOP');
    await expect.poll(() => world.admin.openTransactions(), later).toEqual([]);
    world.network.open();
    worker.child.kill('SIGCONT');
    await becomes(worker, 'owner');
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });
});
