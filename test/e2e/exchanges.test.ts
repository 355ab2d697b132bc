// Every exchange on the whole line: a feed is applied, the simulated exchange loses frames and cuts connections, and
// the normalized topic must hold exactly the trades that were made, each once.
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, openBed } from './bed.ts';
import { apply, conditionOf, deleteFeed, getFeed, manifestOf, ownTopics, simulatorHost, waitReady } from './feeds.ts';
import { compareWithMade } from './made-trades.ts';
import { deploySimulator } from './operator.ts';
import { eventually } from './process.ts';

let bed: Bed;
let simulator: SimulatorControl;
let name = '';

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
});
afterEach(async () => deleteFeed(bed, name));

test.each([
  ['binance', ['BTCUSDT', 'ETHUSDT'], true],
  ['kraken', ['BTC/USDT', 'ETH/USDT'], true],
  ['coinbase', ['BTC-USDT', 'ETH-USDT'], true],
  ['coinbase-advanced', ['BTC-USDT', 'ETH-USDT'], true],
  ['okx', ['BTC-USDT', 'ETH-USDT'], true],
  ['bybit', ['BTCUSDT', 'ETHUSDT'], false],
])('%s: every trade made is written once, whatever the stream lost', async (exchange, symbols, isProvable) => {
  name = `e2e-${exchange}`;
  const { topic, topics } = ownTopics(name);
  await simulator.reset();
  const base = `${simulatorHost}/${exchange}`;
  const endpoint = { webSocketUrl: `ws://${base}`, restUrl: `http://${base}` };
  await apply(bed, manifestOf(name, { exchange, symbols, topics, endpoint }));
  await eventually('a feed that streams', 60_000, async () => {
    expect(conditionOf(await getFeed(bed, name), 'Streaming')?.status).toBe('True');
  });
  await simulator.burst({ trades: 200 });
  if (isProvable) {
    await simulator.addFrameFault({ kind: 'drop', frames: 20, exchange });
    await simulator.burst({ trades: 200 });
    await simulator.cut();
  }
  await simulator.addFrameFault({ kind: 'duplicate', frames: 20, exchange });
  await simulator.burst({ trades: 200 });
  await eventually('a feed that says how complete it is', 60_000, async () => {
    expect(conditionOf(await getFeed(bed, name), 'DataComplete')?.status).toBe(isProvable ? 'True' : 'Unknown');
    await waitReady(bed, name);
  });
  await simulator.pause();
  const compared = await eventually('the same trades in topic and truth', 30_000, () =>
    compareWithMade(bed, simulator, { exchange, symbols, topic }),
  );
  console.log(`${exchange}: ${compared} trades compared`);
  await simulator.resume();
});
