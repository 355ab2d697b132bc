// Frames and answers that OKX sent, read once by the parser and once by regular expressions. All recorded trades are of
// the trades channel; those of the trades-all channel have the same fields.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import type { Backfill, Parsed } from '../../../worker/exchanges/exchange.ts';
import { okx } from '../../../worker/exchanges/okx.ts';
import { noRecordings, readFrames, readRecording } from '../recordings.ts';
import { countWalks, expectConsecutive, expectToReadAnything, fieldOf } from './properties.ts';

const schemaText = readFileSync(new URL('../../../schemas/okx-trade.avsc', import.meta.url), 'utf8');
const schema = avsc.Type.forSchema(JSON.parse(schemaText)) as avsc.types.RecordType;

const files = [
  'v5-trades-tickers-books-20220513-a.jsonl.gz',
  'v5-trades-20250224-sample.jsonl',
  'verbatim-samples.jsonl',
];
const framesOf = (file: string) => readFrames(`okx/${file}`);
const tradesOf = (parsed: Parsed) => (parsed.kind === 'trades' ? parsed.trades : []);

/** The trades of a frame by their texts, nothing of the list left over; none in a frame of another channel. */
function tradeTexts(frame: string): string[] {
  const list = /^\{"arg":\{"channel":"trades",[^}]*\},"data":\[(.*)\]\}$/.exec(frame)?.[1];
  if (list === undefined) return [];
  expect(list.replaceAll(/\{[^{}]*\}/g, '')).toMatch(/^,*$/);
  return list.match(/\{[^{}]*\}/g) ?? [];
}

function expectedTrade(text: string) {
  const isBuyerMaker = fieldOf(text, 'side') === 'sell';
  return {
    symbol: fieldOf(text, 'instId'),
    tradeId: fieldOf(text, 'tradeId'),
    price: fieldOf(text, 'px'),
    quantity: fieldOf(text, 'sz'),
    side: isBuyerMaker ? 'SELL' : 'BUY',
    exchangeTimeMs: Number(fieldOf(text, 'ts')),
    sequenceNumber: text.includes('seqId') ? Number(fieldOf(text, 'seqId')) : null,
    isBuyerMaker,
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

describe.skipIf(noRecordings)(`recorded frames ${noRecordings ?? ''}`, () => {
  test.each(files)('every frame of %s is read with each of its trades, digit by digit', (file) => {
    for (const frame of framesOf(file)) {
      const parsed = okx.parse(frame);
      if (parsed.kind === 'unreadable') expect.fail(`${parsed.why}: ${frame}`);
      expect(tradesOf(parsed)).toEqual(tradeTexts(frame.toString()).map(expectedTrade));
    }
  });

  test('a connection is read as the conversation it was', () => {
    const parsed = framesOf('v5-trades-tickers-books-20220513-a.jsonl.gz').map(okx.parse);
    const count = (kind: Parsed['kind']) => parsed.filter((one) => one.kind === kind).length;
    // The others are of books and tickers.
    expect([count('subscribed'), count('trades'), count('ignored')]).toEqual([18, 46, 206]);
    const symbols = parsed.flatMap((one) => (one.kind === 'subscribed' ? (one.symbols ?? []) : []));
    expect(new Set(symbols)).toEqual(new Set(['BTC-USDT', 'UNI-USD-SWAP', 'BTC-USD-220527']));
  });

  test('an acknowledgement of 2026 is read', () => {
    const [acknowledgement = Buffer.of()] = framesOf('verbatim-samples.jsonl');
    expect(okx.parse(acknowledgement)).toEqual({ kind: 'subscribed', requestId: null, symbols: ['BTC-USDT'] });
  });

  test('ids of 2022 and of 2025 go up by one', () => {
    for (const file of files) expectConsecutive(framesOf(file).flatMap((frame) => tradesOf(okx.parse(frame))));
  });

  test('takers take the best price first: the side is theirs', () => {
    const walks = countWalks(files.flatMap(framesOf).flatMap((frame) => tradesOf(okx.parse(frame))));
    expect(walks).toEqual({ right: 3, wrong: 0 });
  });

  test.each(files)('the raw schema documents every trade of %s', (file) => {
    const names = schema.fields.map(({ name }) => name);
    const all = framesOf(file).flatMap((frame) => tradeTexts(frame.toString()).map((text) => JSON.parse(text)));
    expect(all.length).toBeGreaterThan(0);
    for (const one of all) {
      const absent = { source: null, count: null, seqId: null };
      if (!schema.isValid({ ...absent, ...one })) expect.fail(`does not conform: ${JSON.stringify(one)}`);
      expect(names).toEqual(expect.arrayContaining(Object.keys(one)));
    }
  });

  test('a real frame cut short anywhere is unreadable', () => {
    const [frame = Buffer.of()] = framesOf('v5-trades-20250224-sample.jsonl');
    expect(frame.length).toBeGreaterThan(100);
    for (let at = 0; at < frame.length; at++) expect(okx.parse(frame.subarray(0, at)).kind).toBe('unreadable');
  });

  test('damaged frames give values, never exceptions', () => {
    const frames = files.flatMap(framesOf).filter((frame) => frame.length < 1000);
    expectToReadAnything(okx.parse, frames);
  });
});

describe.skipIf(noRecordings)(`recorded answers of REST ${noRecordings ?? ''}`, () => {
  const readBody = (file: string) => gunzipSync(readRecording(`okx/rest/${file}`)).toString();

  test('every spot instrument is listed by its own assets', () => {
    const body = readBody('instruments-SPOT-20220513.json.gz');
    const answer = okx.listing.parse(200, body);
    const expected = (body.match(/\{"alias"[^{}]*\}/g) ?? []).map((text) => ({
      symbol: fieldOf(text, 'instId'),
      canonicalSymbol: `${fieldOf(text, 'baseCcy')}/${fieldOf(text, 'quoteCcy')}`,
    }));
    expect(expected.length).toBeGreaterThan(100);
    expect(answer).toEqual({ kind: 'listed', listings: expected });
  });

  test('instruments of other markets are none', () => {
    const answer = okx.listing.parse(200, readBody('instruments-FUTURES-20220513.json.gz'));
    expect(answer).toEqual({ kind: 'listed', listings: [] });
  });

  test('recorded trades in an answer of REST are read alike, and kept byte for byte', () => {
    const texts = files.flatMap(framesOf).flatMap((frame) => tradeTexts(frame.toString()));
    const own = texts.filter((text) => fieldOf(text, 'instId') === 'BTC-USDT').reverse();
    const { parse } = okx.backfill as Backfill;
    const listing = { symbol: 'BTC-USDT', canonicalSymbol: 'BTC/USDT' };
    const answer = parse(listing, 200, `{"code":"0","msg":"","data":[${own.join(',')}]}`);
    expect(answer).toEqual({ kind: 'trades', trades: own.map((text) => ({ trade: expectedTrade(text), text })) });
  });
});
