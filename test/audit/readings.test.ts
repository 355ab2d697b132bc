// The auditor's reading of raw records beside the worker's: neither knows the other's code.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isCanonical, type Reading, readings, readTrades } from '../../audit/readings.ts';
import type { Trade } from '../../audit/trade.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import type { Trade as WorkersTrade } from '../../worker/trade.ts';
import { ownRecording } from '../worker/normalize-program.ts';
import { noRecordings, readFrames } from '../worker/recordings.ts';

const readingOf = (exchange: string) => readings[exchange] as Reading;

const ownFrames = (exchange: string) =>
  readFileSync(ownRecording(`${exchange}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from((JSON.parse(line) as { frame: string }).frame));

/** In the auditor's words. */
const translated = (trade: WorkersTrade): Trade => ({
  symbol: trade.symbol,
  id: trade.tradeId,
  price: trade.price,
  quantity: trade.quantity,
  side: trade.side,
  exchangeTimeMs: trade.exchangeTimeMs,
  sequence: trade.sequenceNumber,
  buyerOrderId: trade.buyerOrderId,
  sellerOrderId: trade.sellerOrderId,
});

/** @returns how many trades both read */
function expectSame(exchange: string, frames: readonly Buffer[]): number {
  let trades = 0;
  for (const frame of frames) {
    const parsed = exchanges[exchange]?.parse(frame);
    const read = readTrades(readingOf(exchange), frame, null, false);
    if (parsed?.kind === 'trades') expect(read).toEqual(parsed.trades.map(translated));
    else if (parsed?.kind === 'unreadable') expect(typeof read, `${frame}`).toBe('string');
    else if (typeof read !== 'string') expect(read).toEqual([]);
    trades += parsed?.kind === 'trades' ? parsed.trades.length : 0;
  }
  return trades;
}

describe('a frame', () => {
  test('there is a reading of each exchange', () => {
    expect(Object.keys(readings).sort()).toEqual(Object.keys(exchanges).sort());
  });

  test.each(Object.keys(exchanges))('of %s reads as it does in the worker', (exchange) => {
    expect(expectSame(exchange, ownFrames(exchange))).toBeGreaterThan(0);
  });

  const recorded = [
    ['binance', 'binance/spot-trade-ethusdt-20240808.jsonl.gz', 5000],
    ['binance', 'binance/docs-examples.jsonl', 1],
    ['kraken', 'kraken/v2-trade-20260930.jsonl', 150],
    ['coinbase', 'coinbase/exchange-matches-ticker-20210417.jsonl', 80],
    ['coinbase-advanced', 'coinbase/advanced-trade-20260809-a.jsonl.gz', 200],
    ['bybit', 'bybit/v5-spot-btcusdt-20260809.jsonl.gz', 10],
  ] as const;
  test.skipIf(noRecordings !== null).each(recorded)(
    `of %s, recorded (%s), reads as it does in the worker${noRecordings ? ` (${noRecordings})` : ''}`,
    (exchange, path, tradesMin) => {
      expect(expectSame(exchange, readFrames(path))).toBeGreaterThanOrEqual(tradesMin);
    },
  );

  test.each([
    ['binance', '{"e":"trade","s":"BTCUSDT","t":1,"p":"1e5","q":"1","T":5,"m":true}', 'p 1e5 is not a decimal'],
    ['binance', '{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1","T":5}', 'm is neither true nor false'],
    ['binance', '{"e":"trade","t":1,"p":"1","q":"1","T":5,"m":true}', 's is missing'],
    ['kraken', '{"channel":"trade","data":7}', 'data is not a list'],
    ['okx', '{"arg":{"channel":"trades"},"data":[{"count":"2"}]}', 'count 2 sums up several trades'],
    ['bybit', '[]', 'the frame is not an object'],
  ])('of %s that is wrong is refused, and the reason names the field: %s', (exchange, frame, why) => {
    expect(readTrades(readingOf(exchange), Buffer.from(frame), null, false)).toBe(why);
  });

  test('with an id beyond 2^53 loses no digit of it', () => {
    const frame = '{"e":"trade","s":"BTCUSDT","t":9007199254740993,"p":"1.10","q":"2","T":5,"m":false}';
    const [trade] = readTrades(readingOf('binance'), Buffer.from(frame), null, false) as Trade[];
    expect(trade).toMatchObject({ id: '9007199254740993', price: '1.10', side: 'BUY' });
  });

  test('of BTC-USDC at Coinbase Advanced Trade, which streams it as BTC-USD, has the name of its key', () => {
    const trade =
      '{"trade_id":"7","product_id":"BTC-USD","price":"1","size":"2","side":"BUY","time":"2026-08-09T21:05:48.85Z"}';
    const frame = Buffer.from(`{"channel":"market_trades","events":[{"type":"update","trades":[${trade}]}]}`);
    const symbols = ['BTC-USDC', 'BTC-USD', 'ETH-USD'].map((key) => {
      const [read] = readTrades(readingOf('coinbase-advanced'), frame, key, false) as Trade[];
      return read?.symbol;
    });
    expect(symbols).toEqual(['BTC-USDC', 'BTC-USD', 'BTC-USD']);
  });
});

describe('an element of REST', () => {
  const time = Date.UTC(2026, 7, 9, 21, 5, 48, 854);
  const rfc3339 = '2026-08-09T21:05:48.85484Z';
  test.each([
    ['binance', 'BTCUSDT', `{"id":7,"price":"1.50","qty":"2.0","quoteQty":"3","time":${time},"isBuyerMaker":true}`, []],
    [
      'kraken',
      'BTC/USD',
      `["1.50","2.0",1786309548.8548400,"s","l","",7]`,
      ['{"error":[],"result":{"XXBTZUSD":[', '],"last":"1"}}'],
    ],
    ['coinbase', 'BTC-USD', `{"trade_id":7,"side":"buy","size":"2.0","price":"1.50","time":"${rfc3339}"}`, []],
    ['coinbase-advanced', 'BTC-USD', `{"trade_id":7,"side":"buy","size":"2.0","price":"1.50","time":"${rfc3339}"}`, []],
    [
      'okx',
      'BTC-USDT',
      `{"instId":"BTC-USDT","side":"sell","sz":"2.0","px":"1.50","tradeId":"7","ts":"${time}"}`,
      ['{"code":"0","msg":"","data":[', ']}'],
    ],
  ])('of %s reads as it does in the worker', (exchange, symbol, element, [before = '[', after = ']']) => {
    const listing = { symbol, canonicalSymbol: '' };
    const answer = exchanges[exchange]?.backfill?.parse(listing, 200, `${before}${element}${after}`);
    const worker = answer?.kind === 'trades' ? answer.trades.map(({ trade }) => translated(trade)) : answer;
    const expected = { symbol, id: '7', price: '1.50', quantity: '2.0', side: 'SELL', exchangeTimeMs: time };
    const read = readTrades(readingOf(exchange), Buffer.from(element), symbol, true);
    expect(read).toMatchObject([expected]);
    expect(read).toEqual(worker);
  });
});

test.each([
  ['binance', 'BTCUSDT', 'BTC/USDT', true],
  ['binance', 'BTCUSDT', 'BTCU/USDT', false],
  ['binance', 'BTCUSDT', 'BTCUSDT', false],
  ['kraken', 'BTC/USD', 'BTC/USD', true],
  ['kraken', 'BTC/USD', 'XBT/USD', false],
  ['okx', 'BTC-USDT', 'BTC/USDT', true],
  ['okx', 'BTC-USDT', 'BTC/USD/T', false],
])('at %s, whether %s is canonically %s: %s', (exchange, symbol, canonicalSymbol, is) => {
  expect(isCanonical(readingOf(exchange), symbol, canonicalSymbol)).toBe(is);
});
