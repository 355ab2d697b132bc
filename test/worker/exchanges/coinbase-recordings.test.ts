import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { coinbase } from '../../../worker/exchanges/coinbase.ts';
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
  const isMatch = (frame: Buffer) => /"type":"(last_)?match"/.test(frame.toString());
  const connection = noRecordings ? [] : readFrames('coinbase/exchange-matches-ticker-20210417.jsonl');
  const single = noRecordings ? [] : readFrames('coinbase/verbatim-samples.jsonl').filter(isMatch);

  /** Field by field from the text. */
  function read(frame: Buffer): Trade {
    const text = frame.toString();
    const isBuyerMaker = fieldOf(text, 'side') === 'buy';
    return {
      symbol: fieldOf(text, 'product_id'),
      tradeId: fieldOf(text, 'trade_id'),
      price: fieldOf(text, 'price'),
      quantity: fieldOf(text, 'size'),
      side: isBuyerMaker ? 'SELL' : 'BUY',
      exchangeTimeMs: msOf(fieldOf(text, 'time')),
      sequenceNumber: Number(fieldOf(text, 'sequence')),
      isBuyerMaker,
      buyerOrderId: null,
      sellerOrderId: null,
    };
  }

  test('every match is read as the trade it holds', () => {
    const matches = [...connection, ...single].filter(isMatch);
    expect(matches.length).toBe(81 + 4);
    for (const frame of matches) expect(coinbase.parse(frame)).toEqual({ kind: 'trades', trades: [read(frame)] });
  });

  test('every other frame of the connection is an acknowledgement or a ticker', () => {
    expect(countKinds(coinbase.parse, connection)).toEqual({ trades: 81, subscribed: 3, ignored: 81 });
  });

  test('every ticker repeats a match: reading both would double the trades', () => {
    const idsOf = (frames: Buffer[]) =>
      frames.map(String).map((text) => `${fieldOf(text, 'product_id')} ${fieldOf(text, 'trade_id')}`);
    const tickers = idsOf(connection.filter((frame) => frame.includes('"type":"ticker"')));
    expect(tickers.length).toBe(81);
    expect(tickers.toSorted()).toEqual(idsOf(connection.filter(isMatch)).toSorted());
  });

  test('the ids of each product rise by 1, the last match before the subscription included', () => {
    expectConsecutive(connection.filter(isMatch).map(read));
  });

  test('takers walk their own way', () => {
    const trades = connection.flatMap((frame) => {
      const parsed = coinbase.parse(frame);
      return parsed.kind === 'trades' ? parsed.trades : [];
    });
    const { right, wrong } = countWalks(trades);
    expect(right).toBe(9);
    expect(wrong).toBe(0);
  });

  test('the raw schema documents every match', () => {
    for (const frame of [...connection, ...single].filter(isMatch)) expectConforms('coinbase', frame.toString());
  });

  test('a match cut short anywhere is unreadable', () => {
    expectCutFramesUnreadable(coinbase.parse, single);
  });

  test('damaged frames give a value, never an exception', () => {
    expectToReadAnything(coinbase.parse, connection);
  });

  test('the recorded products are listed under their own currencies', () => {
    const body = gunzipSync(readRecording('coinbase/rest/exchange-products-20210417.json.gz')).toString();
    const answer = coinbase.listing.parse(200, body);
    if (answer.kind !== 'listed') throw new Error(JSON.stringify(answer));
    const ids = [...body.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id);
    expect(answer.listings.map(({ symbol }) => symbol)).toEqual(ids);
    expect(ids.length).toBe(162);
    expect(answer.listings).toContainEqual({ symbol: 'SKL-GBP', canonicalSymbol: 'SKL/GBP' });
  });
});
