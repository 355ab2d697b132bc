// A broker that hangs for so long that the worker stops reading, and an exchange that does not wait for it: it cuts the
// connection that nobody reads, and trades on.
import { expect, test } from 'vitest';
import { setUp } from './set-up.ts';
import { readings, writes } from './stream.ts';

const tradesPerSecond = 500;
/** The worker's buffer of 32 MiB is full after some 60,000 trades, two records each. */
const fillingTrades = 20_000;
const unreadTrades = 3000;
/** Filling takes most of it, on a machine that does other things, too. */
const timeout = 300_000;
const filled = { timeout: 60_000, interval: 500 };

const on = setUp({ brokers: 1 });

test('the broker hangs, reading pauses, the exchange cuts the connection: each trade is there once', {
  timeout,
}, async () => {
  const worker = await on.stream.owner(tradesPerSecond);
  const [id = 1] = on.world.cluster.ids;
  on.world.cluster.pause(id);
  await expect
    .poll(async () => {
      await on.stream.simulator.burst({ trades: fillingTrades });
      return (await readings(worker)).pauses;
    }, filled)
    .toBeGreaterThan(0);
  expect((await readings(worker)).bytes).toBeGreaterThan(0);
  const { connections } = await on.stream.simulator.state();
  const [unread] = connections.filter(({ closed }) => closed === null);
  await on.stream.simulator.burst({ trades: unreadTrades });
  await on.stream.simulator.cut({ connection: unread?.connection ?? 0 });
  await on.stream.simulator.burst({ trades: unreadTrades });
  on.world.cluster.resume(id);
  await writes(worker);
  await on.stream.simulator.pause();
  await on.stream.untilWritten(worker);
  // At least what was traded while nobody was connected.
  const { body } = await worker.get('/metrics');
  const [, backfilled] = /^k2_worker_backfilled_trades_total (\d+)$/m.exec(body) ?? [];
  expect(Number(backfilled)).toBeGreaterThanOrEqual(unreadTrades);
  await on.stream.expectEachTradeOnce(worker);
});
