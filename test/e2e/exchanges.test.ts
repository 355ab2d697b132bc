// Every exchange on the whole line: a feed is applied, the simulated exchange loses frames and cuts connections, and
// the normalized topic must hold exactly the trades that were made, each once.
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { MadeTrade, SimulatorControl } from '../simulator/control.ts';
import { type Bed, type ConsumedRecord, consume, openBed } from './bed.ts';
import { apply, conditionOf, deleteFeed, getFeed, manifestOf, ownTopics, simulatorHost, waitReady } from './feeds.ts';
import { deploySimulator } from './operator.ts';
import { eventually } from './process.ts';
import type { Normalized } from './trade-oracle.ts';

let bed: Bed;
let simulator: SimulatorControl;
let name = '';

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
});
afterEach(async () => deleteFeed(bed, name));

/** Without the zeros at the end: REST and stream of one exchange may write the same number with more or fewer. */
const plain = (decimal: string) => (decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal);

const fromMade = ({ id, price, quantity, takerSide, timeUs }: MadeTrade) =>
  [id, plain(price), plain(quantity), takerSide.toUpperCase(), Math.floor(timeUs / 1000)].join(' ');
const fromWritten = ({ trade_id, price, quantity, side, exchange_timestamp }: Normalized) =>
  [trade_id, plain(price), plain(quantity), side, exchange_timestamp].join(' ');

const tradesOf = (records: ConsumedRecord[], symbol: string) =>
  records.filter(({ key }) => key === symbol).map(({ avro }) => avro as Normalized);
const byId = (a: { trade_id: string }, b: { trade_id: string }) => (BigInt(a.trade_id) < BigInt(b.trade_id) ? -1 : 1);

/** What was made from the first trade on that was written: nobody promises those from before the subscription. */
async function compare(exchange: string, symbols: string[], topic: string): Promise<number> {
  const records = await consume(bed, topic, bed.schemaRegistryUrl);
  const made: MadeTrade[] = [];
  for await (const trade of simulator.made({ exchange })) made.push(trade);
  let compared = 0;
  for (const symbol of symbols) {
    const written = tradesOf(records, symbol).sort(byId);
    const firstId = BigInt(written[0]?.trade_id ?? -1);
    const expected = made.filter((trade) => trade.symbol === symbol && BigInt(trade.id) >= firstId).map(fromMade);
    // What the exchange sends as history on subscribing may be from before the simulator's reset.
    const since = written.slice(written.length - Math.min(written.length, expected.length)).map(fromWritten);
    expect(since).toEqual(expected);
    expect(new Set(written.map(({ trade_id }) => trade_id)).size).toBe(written.length);
    expect(written.length).toBeGreaterThan(0);
    compared += expected.length;
  }
  return compared;
}

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
    compare(exchange, symbols, topic),
  );
  console.log(`${exchange}: ${compared} trades compared`);
  await simulator.resume();
});
