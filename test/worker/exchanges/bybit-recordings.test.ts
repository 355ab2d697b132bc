import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { bybit } from '../../../worker/exchanges/bybit.ts';
import type { Trade } from '../../../worker/trade.ts';
import { noRecordings, readFrames, readRecording } from '../recordings.ts';
import {
  countKinds,
  countWalks,
  expectConforms,
  expectCutFramesUnreadable,
  expectToReadAnything,
  fieldOf,
} from './properties.ts';

describe.skipIf(noRecordings)(`recorded frames ${noRecordings ?? ''}`, () => {
  const read = (file: string) => (noRecordings ? [] : readFrames(`bybit/${file}`));
  const spot = read('v5-spot-btcusdt-20260809.jsonl.gz');
  const linear = read('v5-linear-btc-eth-20260809.jsonl.gz');
  const documentation = read('docs-examples.jsonl');
  const isTrades = (frame: Buffer) => frame.toString().startsWith('{"topic":"publicTrade.');

  /** The trades of a frame, as their text. */
  const payloads = (frame: Buffer) => frame.toString().match(/\{[^{}]*"BT"[^{}]*\}/g) ?? [];

  /** Field by field from the text. */
  function readPayload(text: string): Trade {
    const side = fieldOf(text, 'S') === 'Buy' ? 'BUY' : 'SELL';
    return {
      symbol: fieldOf(text, 's'),
      tradeId: fieldOf(text, 'i'),
      price: fieldOf(text, 'p'),
      quantity: fieldOf(text, 'v'),
      side,
      exchangeTimeMs: Number(fieldOf(text, 'T')),
      sequenceNumber: Number(fieldOf(text, 'seq')),
      isBuyerMaker: side === 'SELL',
      buyerOrderId: null,
      sellerOrderId: null,
    };
  }

  test.each([
    ['spot', spot, 11, 11],
    ['linear, whose ids are no numbers', linear, 28, 79],
    ['the documentation', documentation, 1, 1],
  ])('every trade of %s is read as it stands there', (_name, all, frameCount, tradeCount) => {
    const frames = all.filter(isTrades);
    expect(frames.length).toBe(frameCount);
    expect(frames.flatMap(payloads).length).toBe(tradeCount);
    for (const frame of frames) {
      expect(bybit.parse(frame)).toEqual({ kind: 'trades', trades: payloads(frame).map(readPayload) });
    }
  });

  test.each([
    ['spot', spot, { trades: 11, subscribed: 7, ignored: 57 }],
    ['linear', linear, { trades: 28, subscribed: 17, ignored: 437 }],
    ['the documentation', documentation, { trades: 1, subscribed: 3, heartbeat: 2, ignored: 1 }],
  ])('every other frame of %s is life, an acknowledgement or ignored', (_name, all, expected) => {
    expect(countKinds(bybit.parse, all)).toEqual(expected);
  });

  test('takers walk their own way', () => {
    const trades = linear.flatMap((frame) => {
      const parsed = bybit.parse(frame);
      return parsed.kind === 'trades' ? parsed.trades : [];
    });
    expect(countWalks(trades)).toEqual({ right: 2, wrong: 0 });
  });

  test('the raw schema documents every trade of spot', () => {
    for (const payload of spot.filter(isTrades).flatMap(payloads)) expectConforms('bybit', payload);
  });

  test('a frame cut short anywhere is unreadable', () => {
    expectCutFramesUnreadable(bybit.parse, spot.filter(isTrades));
  });

  test('damaged frames give a value, never an exception', () => {
    expectToReadAnything(
      bybit.parse,
      [...spot, ...linear, ...documentation].filter((frame) => frame.length < 5000),
    );
  });

  test('the recorded symbols are listed by their own coins', () => {
    const body = gunzipSync(readRecording('bybit/rest/instruments-info-spot-20260809.json.gz')).toString();
    const answer = bybit.listing.parse(200, body);
    if (answer.kind !== 'listed') throw new Error(JSON.stringify(answer));
    const pattern = /"symbol":"([^"]+)","baseCoin":"([^"]+)","quoteCoin":"([^"]+)"/g;
    const expected = [...body.matchAll(pattern)].map(([, symbol, base, quote]) => {
      return { symbol, canonicalSymbol: `${base}/${quote}` };
    });
    expect(expected.length).toBe(557);
    expect(answer.listings).toEqual(expected);
  });
});
