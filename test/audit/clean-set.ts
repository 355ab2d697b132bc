// A small set of records without a fault, made by hand after schemas/normalized-trade.avsc and the exchange's
// documentation, and the auditor over it: each test spoils one thing.
import { Auditor, type AuditorOptions, type NormalizedRecord, type RawRecord } from '../../audit/auditor.ts';
import type { NormalizedTrade } from '../../audit/compare.ts';
import { Cursors } from '../../audit/cursors.ts';
import { readings } from '../../audit/readings.ts';
import type { Report } from '../../audit/report.ts';

export interface CleanSet {
  raw: RawRecord[];
  normalized: NormalizedRecord[];
  cursors: [key: string, value: string | null][];
}

export const startMs = 1_732_438_800_000;
const topics = { raw: 'trades.raw', normalized: 'trades' };

export const binanceFrame = (symbol: string, id: number, price = '61837.63000000', quantity = '0.02000000') =>
  Buffer.from(
    `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${startMs + id},"s":"${symbol}","t":${id},` +
      `"p":"${price}","q":"${quantity}","T":${startMs + id - 1},"m":true,"M":true}}`,
  );

export const rawRecord = (offset: number, symbol: string, value: Buffer, timeMs: number): RawRecord => ({
  topic: topics.raw,
  partition: 0,
  offset,
  timeMs,
  key: symbol,
  source: null,
  value,
  receivedUs: `${timeMs}250`,
  unreadable: null,
});

export const metadata = { sequence_number: null, is_buyer_maker: true, buyer_order_id: null, seller_order_id: null };

/** The trade that binanceFrame() tells of. */
export const normalizedTrade = (symbol: string, id: number, timeMs: number): NormalizedTrade => ({
  schema_version: '1.0.0',
  exchange: 'binance',
  symbol,
  canonical_symbol: symbol.replace(/USDT$/, '/USDT'),
  trade_id: String(id),
  price: '61837.63000000',
  quantity: '0.02000000',
  quote_volume: '1236.7526000000000000',
  side: 'SELL',
  timestamp: timeMs,
  exchange_timestamp: startMs + id - 1,
  metadata,
});

export const normalizedRecord = (offset: number, value: NormalizedTrade, timeMs: number): NormalizedRecord => ({
  topic: topics.normalized,
  partition: 0,
  offset,
  timeMs,
  key: value.symbol,
  source: null,
  value,
});

export function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

/** Trades 1 to `count` of two symbols. */
export function cleanSet(count = 10): CleanSet {
  const set: CleanSet = { raw: [], normalized: [], cursors: [] };
  for (let id = 1; id <= count; id++) {
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
      const timeMs = startMs + id * 10;
      set.raw.push(rawRecord(set.raw.length, symbol, binanceFrame(symbol, id), timeMs));
      set.normalized.push(normalizedRecord(set.normalized.length, normalizedTrade(symbol, id, timeMs), timeMs));
    }
  }
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) set.cursors.push([`cursor default/binance ${symbol}`, cursor(count)]);
  return set;
}

export const cursor = (lastId: number | string, more: object = {}): string =>
  JSON.stringify({ lastId: String(lastId), timeMs: startMs, gaps: [], ...more });

export const wholeOptions: AuditorOptions = {
  exchange: 'binance',
  reading: readings.binance as AuditorOptions['reading'],
  fromMs: null,
  untilMs: null,
  begins: { raw: [Number.NEGATIVE_INFINITY], normalized: [Number.NEGATIVE_INFINITY] },
  toldMax: 100,
};

/** All records in the order of their times, raw ones first. */
export function showAll(auditor: Auditor, { raw, normalized }: Pick<CleanSet, 'raw' | 'normalized'>): void {
  const shown = [
    ...raw.map((record) => ({ timeMs: record.timeMs, show: () => auditor.raw(record) })),
    ...normalized.map((record) => ({ timeMs: record.timeMs, show: () => auditor.normalized(record) })),
  ];
  for (const { show } of shown.sort((a, b) => a.timeMs - b.timeMs)) show();
}

export function auditSet(set: CleanSet, options: Partial<AuditorOptions> = {}): Report {
  const auditor = new Auditor({ ...wholeOptions, ...options });
  showAll(auditor, set);
  auditor.end();
  const cursors = new Cursors(null);
  for (const [key, value] of set.cursors) cursors.take(key, value);
  return auditor.report(cursors);
}
