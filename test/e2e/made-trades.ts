// Compares a normalized topic with the trades that the simulated exchange made, whatever their way into the topic was.
import { expect } from 'vitest';
import type { MadeTrade, SimulatorControl } from '../simulator/control.ts';
import { type Bed, type ConsumedRecord, consume } from './bed.ts';
import type { Normalized } from './trade-oracle.ts';

export interface MadeTradesQuestion {
  exchange: string;
  symbols: string[];
  topic: string;
  /** Symbols that the feed no longer has: compared up to the last trade that was written. */
  removed?: string[];
}

/** Without the zeros at the end: REST and stream of one exchange may write the same number with more or fewer. */
const plain = (decimal: string) => (decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal);

const fromMade = ({ id, price, quantity, takerSide, timeUs }: MadeTrade) =>
  [id, plain(price), plain(quantity), takerSide.toUpperCase(), Math.floor(timeUs / 1000)].join(' ');
const fromWritten = ({ trade_id, price, quantity, side, exchange_timestamp }: Normalized) =>
  [trade_id, plain(price), plain(quantity), side, exchange_timestamp].join(' ');

const tradesOf = (records: ConsumedRecord[], symbol: string) =>
  records.filter(({ key }) => key === symbol).map(({ avro }) => avro as Normalized);
const byId = (a: { trade_id: string }, b: { trade_id: string }) => (BigInt(a.trade_id) < BigInt(b.trade_id) ? -1 : 1);

/**
 * Every trade from the first one on that was written is there once, and none that was not made: nobody promises those
 * from before the subscription. The topic is read committed.
 * @returns how many trades were compared
 * @throws the assertion's Error
 */
export async function compareWithMade(
  bed: Bed,
  simulator: SimulatorControl,
  { exchange, symbols, topic, removed = [] }: MadeTradesQuestion,
): Promise<number> {
  const records = await consume(bed, topic, bed.schemaRegistryUrl);
  const made: MadeTrade[] = [];
  for await (const trade of simulator.made({ exchange })) made.push(trade);
  let compared = 0;
  for (const symbol of [...symbols, ...removed]) {
    const written = tradesOf(records, symbol).sort(byId);
    const firstId = BigInt(written.at(0)?.trade_id ?? -1);
    const lastId = removed.includes(symbol) ? BigInt(written.at(-1)?.trade_id ?? -1) : null;
    const isExpected = ({ id }: MadeTrade) => BigInt(id) >= firstId && (lastId === null || BigInt(id) <= lastId);
    const expected = made.filter((trade) => trade.symbol === symbol && isExpected(trade)).map(fromMade);
    // What the exchange sends as history on subscribing may be from before the simulator's reset.
    const since = written.slice(written.length - Math.min(written.length, expected.length)).map(fromWritten);
    expect(since).toEqual(expected);
    expect(new Set(written.map(({ trade_id }) => trade_id)).size).toBe(written.length);
    expect(written.length).toBeGreaterThan(0);
    compared += expected.length;
  }
  return compared;
}
