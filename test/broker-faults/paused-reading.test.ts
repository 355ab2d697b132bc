// A broker that hangs for so long that the worker stops reading, and an exchange that does not wait for it: it cuts the
// connection that nobody reads, and trades on.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readings, Stream, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const tradesPerSecond = 500;
/** The worker's buffer of 32 MiB is full after some 60,000 trades, two records each. */
const fillingTrades = 20_000;
const unreadTrades = 3000;
/** Filling takes most of it, on a machine that does other things, too. */
const timeout = 300_000;
const filled = { timeout: 60_000, interval: 500 };

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

test('the broker hangs, reading pauses, the exchange cuts the connection: each trade is there once', {
  timeout,
}, async () => {
  const worker = await stream.owner(tradesPerSecond);
  const [id = 1] = world.cluster.ids;
  world.cluster.pause(id);
  await expect
    .poll(async () => {
      await stream.simulator.burst({ trades: fillingTrades });
      return (await readings(worker)).pauses;
    }, filled)
    .toBeGreaterThan(0);
  expect((await readings(worker)).bytes).toBeGreaterThan(0);
  const { connections } = await stream.simulator.state();
  const [unread] = connections.filter(({ closed }) => closed === null);
  await stream.simulator.burst({ trades: unreadTrades });
  await stream.simulator.cut({ connection: unread?.connection ?? 0 });
  await stream.simulator.burst({ trades: unreadTrades });
  world.cluster.resume(id);
  await writes(worker);
  await stream.simulator.pause();
  await stream.untilWritten(worker);
  // At least what was traded while nobody was connected.
  const { body } = await worker.get('/metrics');
  const [, backfilled] = /^k2_worker_backfilled_trades_total (\d+)$/m.exec(body) ?? [];
  expect(Number(backfilled)).toBeGreaterThanOrEqual(unreadTrades);
  await stream.expectEachTradeOnce(worker);
});
