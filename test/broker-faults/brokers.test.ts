// Three brokers that die, hang and move their partitions under a worker that writes: it goes on by itself, and each
// trade is there once.
import { describe, expect, test } from 'vitest';
import { setUp } from './set-up.ts';
import { later, readings, says, writes } from './stream.ts';

const tradesPerSecond = 500;

const on = setUp({ brokers: 3 });

describe('a worker goes on, and each trade is there once, when', () => {
  test('the transaction coordinator is killed, and comes back', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const coordinator = await on.world.admin.coordinator();
    await on.world.cluster.stop(coordinator, 'SIGKILL');
    await writes(worker);
    await on.world.cluster.start(coordinator);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('the coordinator hangs for less time than a request may take', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const coordinator = await on.world.admin.coordinator();
    on.world.cluster.pause(coordinator);
    // It is declared dead after 3 s, and others lead what it led.
    await expect.poll(() => on.world.admin.coordinator(), { timeout: 30_000, interval: 100 }).not.toBe(coordinator);
    on.world.cluster.resume(coordinator);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('two of three brokers are gone: it stops reading, says why, and goes on when one is back', async () => {
    const worker = await on.stream.owner(tradesPerSecond);
    const [first = 1, second = 2] = on.world.cluster.ids;
    await Promise.all([on.world.cluster.stop(first, 'SIGKILL'), on.world.cluster.stop(second, 'SIGKILL')]);
    await says(worker, /cannot write to|does not answer/);
    await on.stream.simulator.setRate({ tradesPerSecond: 20 * tradesPerSecond });
    const { pauses } = await readings(worker);
    await expect.poll(async () => (await readings(worker)).pauses, later).toBeGreaterThan(pauses);
    const { records, bytes } = await readings(worker);
    // The buffer's bounds, and the frame that reached one of them.
    expect(Math.max(records / 100_000, bytes / (32 * 1024 * 1024))).toBeGreaterThan(0.9);
    expect(records).toBeLessThan(101_000);
    expect(bytes).toBeLessThan(33 * 1024 * 1024);
    await on.stream.simulator.setRate({ tradesPerSecond });
    await on.world.cluster.start(first);
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });
});
