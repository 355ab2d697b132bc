import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { coinbaseAdvanced } from '../../../worker/exchanges/coinbase-advanced.ts';
import type { Trade } from '../../../worker/trade.ts';
import { noRecordings, readFrames, readRecording } from '../recordings.ts';
import {
  countKinds,
  countWalks,
  expectConforms,
  expectConsecutive,
  expectCutFramesUnreadable,
  expectToReadAnything,
  fieldOf,
  msOf,
} from './properties.ts';

describe.skipIf(noRecordings)(`recorded frames ${noRecordings ?? ''}`, () => {
  const read = (file: string) => (noRecordings ? [] : readFrames(`coinbase/${file}`));
  const connection = read('advanced-trade-20260809-a.jsonl.gz');
  const single = [...read('advanced-trade-20241004-sample.jsonl'), ...read('verbatim-samples.jsonl').slice(4)];
  const isTrades = (frame: Buffer) => frame.toString().startsWith('{"channel":"market_trades"');

  /** The trades of a frame, as their text. */
  const payloads = (frame: Buffer) => frame.toString().match(/\{[^{}]*"trade_id"[^{}]*\}/g) ?? [];

  /** Field by field from the text. */
  function readPayload(text: string): Trade {
    const isBuyerMaker = fieldOf(text, 'side') === 'BUY';
    return {
      symbol: fieldOf(text, 'product_id'),
      tradeId: fieldOf(text, 'trade_id'),
      price: fieldOf(text, 'price'),
      quantity: fieldOf(text, 'size'),
      side: isBuyerMaker ? 'SELL' : 'BUY',
      exchangeTimeMs: msOf(fieldOf(text, 'time')),
      sequenceNumber: null,
      isBuyerMaker,
      buyerOrderId: null,
      sellerOrderId: null,
    };
  }

  test('every trade of every frame is read as it stands there', () => {
    const frames = [...connection, ...single].filter(isTrades);
    expect(frames.length).toBe(44 + 2);
    expect(frames.flatMap(payloads).length).toBe(259 + 3);
    for (const frame of frames) {
      expect(coinbaseAdvanced.parse(frame)).toEqual({ kind: 'trades', trades: payloads(frame).map(readPayload) });
    }
  });

  test('every other frame of the connection is life, an acknowledgement or ignored', () => {
    const expected = { trades: 44, subscribed: 5, heartbeat: 16, ignored: 614 };
    expect(countKinds(coinbaseAdvanced.parse, connection)).toEqual(expected);
  });

  test('a frame has its newest trade first, and no trade of a product is missing', () => {
    const trades = connection.filter(isTrades).map((frame) => payloads(frame).map(readPayload));
    for (const frame of trades) {
      const ids = frame.map(({ tradeId }) => Number(tradeId));
      expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    }
    expectConsecutive(trades.flat());
  });

  test("its ids are those of Coinbase Exchange: in four years of BTC-USD, both feeds' rise as one", () => {
    const bitcoin = [...connection, ...readFrames('coinbase/verbatim-samples.jsonl')]
      .flatMap(payloads)
      .filter((text) => fieldOf(text, 'product_id') === 'BTC-USD')
      .map((text) => ({ id: Number(fieldOf(text, 'trade_id')), ms: msOf(fieldOf(text, 'time')) }));
    const byTime = bitcoin.toSorted((a, b) => a.ms - b.ms || a.id - b.id);
    expect(byTime).toEqual(bitcoin.toSorted((a, b) => a.id - b.id));
    expect(byTime.length).toBe(138 + 5);
  });

  test('takers walk their own way', () => {
    const trades = connection.filter(isTrades).flatMap((frame) => {
      const parsed = coinbaseAdvanced.parse(frame);
      return parsed.kind === 'trades' ? parsed.trades : [];
    });
    expect(countWalks(trades.toSorted((a, b) => Number(a.tradeId) - Number(b.tradeId)))).toEqual({
      right: 12,
      wrong: 0,
    });
  });

  test('the raw schema documents every trade', () => {
    for (const payload of [...connection, ...single].filter(isTrades).flatMap(payloads)) {
      expectConforms('coinbase-advanced', payload);
    }
  });

  test('a frame cut short anywhere is unreadable', () => {
    expectCutFramesUnreadable(coinbaseAdvanced.parse, single);
  });

  test('damaged frames give a value, never an exception', () => {
    const short = connection.filter((frame) => frame.length < 5000);
    expectToReadAnything(coinbaseAdvanced.parse, [...short, ...single]);
  });

  test('the recorded products are listed, those with an alias under the name that they stream by', () => {
    const body = gunzipSync(readRecording('coinbase/rest/advanced-trade-products-20260809.json.gz')).toString();
    const answer = coinbaseAdvanced.listing.parse(200, body);
    if (answer.kind !== 'listed') throw new Error(JSON.stringify(answer));
    const expected = [...body.matchAll(/"product_id":"([^"]+)".*?"alias":"([^"]*)"/g)].map(([, symbol = '', alias]) => {
      const listing = { symbol, canonicalSymbol: symbol.replace('-', '/') };
      return alias === '' ? listing : { ...listing, streamedAs: alias };
    });
    expect(expected.length).toBe(920);
    expect(answer.listings).toEqual(expected);
    expect(answer.listings).toContainEqual({ symbol: 'BTC-USDC', canonicalSymbol: 'BTC/USDC', streamedAs: 'BTC-USD' });
    expect(answer.listings).toContainEqual({ symbol: 'USDT-USDC', canonicalSymbol: 'USDT/USDC' });
  });
});
