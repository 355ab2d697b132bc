// Three brokers that die, hang and move their partitions under a worker that writes: it goes on by itself, and each
// trade is there once.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { later, readings, Stream, says, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;

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
  test('the transaction coordinator is killed, and comes back', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const coordinator = await world.admin.coordinator();
    await world.cluster.stop(coordinator, 'SIGKILL');
    await writes(worker);
    await world.cluster.start(coordinator);
    await stream.expectEachTradeOnce(worker);
  });

  test('the coordinator hangs for less time than a request may take', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const coordinator = await world.admin.coordinator();
    world.cluster.pause(coordinator);
    // It is declared dead after 3 s, and others lead what it led.
    await expect.poll(() => world.admin.coordinator(), { timeout: 30_000, interval: 100 }).not.toBe(coordinator);
    world.cluster.resume(coordinator);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });

  test('two of three brokers are gone: it stops reading, says why, and goes on when one is back', async () => {
    const worker = await stream.owner(tradesPerSecond);
    const [first = 1, second = 2] = world.cluster.ids;
    await Promise.all([world.cluster.stop(first, 'SIGKILL'), world.cluster.stop(second, 'SIGKILL')]);
    await says(worker, /cannot write to|does not answer/);
    await stream.simulator.setRate({ tradesPerSecond: 20 * tradesPerSecond });
    const { pauses } = await readings(worker);
    await expect.poll(async () => (await readings(worker)).pauses, later).toBeGreaterThan(pauses);
    const { records, bytes } = await readings(worker);
    // The buffer's bounds, and the frame that reached one of them.
    expect(Math.max(records / 100_000, bytes / (32 * 1024 * 1024))).toBeGreaterThan(0.9);
    expect(records).toBeLessThan(101_000);
    expect(bytes).toBeLessThan(33 * 1024 * 1024);
    await stream.simulator.setRate({ tradesPerSecond });
    await world.cluster.start(first);
    await writes(worker);
    await stream.expectEachTradeOnce(worker);
  });
});
