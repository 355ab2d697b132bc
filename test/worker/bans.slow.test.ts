// An exchange that refuses to be asked while trades are missing: the worker waits as it is told, asks nothing
// meanwhile, and then repairs. The simulator counts every request.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { RunningFeed } from './run-feed.ts';
import { count, expectEachTradeOnce, later, listed, startFeed } from './simulated-feed.ts';

const banMs = 5000;
/** Where the exchange does not say how long, the worker waits a minute. */
const untold = { timeout: 100_000 };

let simulator: Simulator;
let stop: AbortController;

beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 60, symbols: listed });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await simulator.close();
});

/** How often REST has answered each status since the ban or the fault was ordered. */
async function answered(exchangeId: string): Promise<Record<string, number>> {
  return (await simulator.state()).rest[exchangeId] ?? {};
}

/** Frames are lost, and the question for them is refused. */
async function refusedOnce(exchangeId: string, status: number): Promise<void> {
  await simulator.addFrameFault({ kind: 'drop', frames: 20, exchange: exchangeId });
  await expect.poll(async () => (await answered(exchangeId))[status] ?? 0, { ...later, interval: 20 }).toBe(1);
}

const withHistory = Object.entries(exchanges)
  .filter(([, { backfill }]) => backfill !== null)
  .map(([id]) => id);

describe.each(withHistory)('on %s', (id) => {
  test('429 with Retry-After: nothing is asked for as long, then all is repaired', { timeout: 90_000 }, async () => {
    const run = await startFeed(simulator, id, stop.signal);
    const before = (await answered(id))[200] ?? 0;
    await simulator.addRestFault({ status: 429, retryAfterSeconds: 3, requests: 1 });
    await refusedOnce(id, 429);
    const refusedMs = performance.now();
    await expect.poll(async () => (await answered(id))[200] ?? 0, { ...later, interval: 20 }).toBeGreaterThan(before);
    // The refusal was seen up to a look late.
    expect(performance.now() - refusedMs).toBeGreaterThan(2700);
    await run.producer.holds(run.producer.appended.length + 100);
    await expectEachTradeOnce(run, simulator, id);
    expect((await answered(id))[429]).toBe(1);
    expect(await count(run, 'backfilled')).toBeGreaterThanOrEqual(20);
    stop.abort();
    await run.ended;
  });
});

test('a ban that says how long: not one question more until it is over', { timeout: 90_000 }, async () => {
  const run = await startFeed(simulator, 'binance', stop.signal);
  await simulator.ban({ durationMs: banMs, exchange: 'binance' });
  await refusedOnce('binance', 418);
  await expectRepairedAfterBan([run], ['binance'], 418, later);
});

test('a ban that does not say how long: one question, and a minute later the next', { timeout: 150_000 }, async () => {
  const ids = withHistory.filter((id) => id !== 'binance');
  const runs = await Promise.all(ids.map((id) => startFeed(simulator, id, stop.signal)));
  await simulator.ban({ durationMs: banMs });
  await Promise.all(ids.map((id) => refusedOnce(id, 403)));
  await expectRepairedAfterBan(runs, ids, 403, untold);
});

/** Every question during the ban is refused, so the refusals counted are all there were. */
async function expectRepairedAfterBan(
  runs: RunningFeed[],
  ids: string[],
  status: number,
  within: { timeout: number },
): Promise<void> {
  for (const run of runs) {
    await expect.poll(() => count(run, 'backfilled'), within).toBeGreaterThanOrEqual(20);
    await run.producer.holds(run.producer.appended.length + 100);
  }
  for (const [index, run] of runs.entries()) {
    const id = ids[index] ?? '';
    await expectEachTradeOnce(run, simulator, id);
    expect([id, (await answered(id))[status]]).toEqual([id, 1]);
  }
  stop.abort();
  await Promise.all(runs.map((run) => run.ended));
}
