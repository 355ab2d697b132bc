// Frames and answers that Kraken sent, read once by the parser and once by regular expressions.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import type { Backfill, Listing, ListingAnswer, Parsed } from '../../../worker/exchanges/exchange.ts';
import { kraken } from '../../../worker/exchanges/kraken.ts';
import type { Trade } from '../../../worker/trade.ts';
import { noRecordings, readFrames, readRecording } from '../recordings.ts';
import { countWalks, expectConsecutive, expectToReadAnything, msOf } from './properties.ts';

const schemaText = readFileSync(new URL('../../../schemas/kraken-trade.avsc', import.meta.url), 'utf8');
const schema = avsc.Type.forSchema(JSON.parse(schemaText)) as avsc.types.RecordType;

const tradesOf = (parsed: Parsed) => (parsed.kind === 'trades' ? parsed.trades : []);
const kindsOf = (parsed: Parsed[]) =>
  Object.fromEntries(
    Array.from(
      Map.groupBy(parsed, ({ kind }) => kind),
      ([kind, all]) => [kind, all.length],
    ),
  );
const readBody = (path: string) => {
  const bytes = readRecording(`kraken/rest/${path}`);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
};

const notSent = { sequenceNumber: null, buyerOrderId: null, sellerOrderId: null };
const sideOf = (letter: string) => ({
  side: letter.startsWith('s') ? 'SELL' : 'BUY',
  isBuyerMaker: letter.startsWith('s'),
});

/** Each trade of a frame by its text, and nothing between them but commas; empty for a frame of another channel. */
function expectedTrades(frame: string): Trade[] {
  const list = /^\{"channel":"trade","type":"(?:snapshot|update)","data":\[(.*)\]\}$/.exec(frame)?.[1];
  if (list === undefined) return [];
  const fields = [
    '"symbol":"([^"]+)","side":"(buy|sell)","price":([0-9.]+),"qty":([0-9.]+)',
    '"ord_type":"(?:limit|market)","trade_id":([0-9]+),"timestamp":"([^"]+)"',
  ];
  const pattern = new RegExp(`\\{${fields.join(',')}\\}`, 'g');
  expect(list.replaceAll(pattern, '')).toMatch(/^,*$/);
  return [...list.matchAll(pattern)].map((match) => {
    const [, symbol = '', side = '', price = '', quantity = '', tradeId = '', time = ''] = match;
    return { symbol, tradeId, price, quantity, ...sideOf(side), exchangeTimeMs: msOf(time), ...notSent } as Trade;
  });
}

describe.skipIf(noRecordings)(`recorded frames of version 2 ${noRecordings ?? ''}`, () => {
  const files = ['v2-trade-20260930.jsonl', 'v2-verbatim-samples.jsonl'];
  const trades = (file: string) => readFrames(`kraken/${file}`).flatMap((frame) => tradesOf(kraken.parse(frame)));

  test.each(files)('every frame of %s is read with each of its trades, digit by digit', (file) => {
    for (const frame of readFrames(`kraken/${file}`)) {
      const parsed = kraken.parse(frame);
      if (parsed.kind === 'unreadable') expect.fail(`${parsed.why}: ${frame}`);
      expect(tradesOf(parsed)).toEqual(expectedTrades(frame.toString()));
    }
  });

  test('a connection is read as the conversation it was', () => {
    const parsed = readFrames('kraken/v2-trade-20260930.jsonl').map(kraken.parse);
    expect(kindsOf(parsed)).toEqual({ ignored: 1, subscribed: 3, trades: 18, heartbeat: 18 });
    const symbols = parsed.filter((one) => one.kind === 'subscribed').flatMap((one) => one.symbols ?? []);
    expect(symbols).toEqual(['BTC/USD', 'ETH/USD', 'SOL/USD']);
  });

  test('single frames of three years are read as what they are', () => {
    const parsed = readFrames('kraken/v2-verbatim-samples.jsonl').map(kraken.parse);
    const kinds = 'ignored subscribed rejected rejected trades ignored ignored ignored trades trades';
    expect(parsed.map(({ kind }) => kind).join(' ')).toBe(kinds);
    expect(parsed[2]).toEqual({
      kind: 'rejected',
      requestId: null,
      symbols: ['XBT/USD'],
      why: 'Currency pair not supported XBT/USD',
    });
    expect(parsed[3]).toMatchObject({ symbols: null });
  });

  test('ids go up by one, from the snapshots into the updates', () => {
    const all = trades('v2-trade-20260930.jsonl');
    expect(all.length).toBe(168);
    expectConsecutive(all);
  });

  test('takers take the best price first: the side is theirs', () => {
    const text = readFrames('kraken/v2-trade-20260930.jsonl').join('\n');
    // Trades of one taker have one time to the microsecond; within a millisecond there may be two takers.
    const times = [...text.matchAll(/"timestamp":"([^"]+)"/g)].map(([, time = '']) =>
      Number(time.slice(8).replaceAll(/\D/g, '')),
    );
    const all = trades('v2-trade-20260930.jsonl');
    expect(times.length).toBe(all.length);
    const walks = countWalks(all.map((trade, index) => ({ ...trade, exchangeTimeMs: times[index] ?? 0 })));
    expect(walks).toEqual({ right: 12, wrong: 0 });
  });

  test('zeros that a float would lose are kept', () => {
    const all = trades('v2-trade-20260930.jsonl').flatMap(({ price, quantity }) => [price, quantity]);
    expect(all.filter((digits) => String(Number(digits)) !== digits).length).toBeGreaterThan(90);
  });

  test.each(files)('the raw schema documents every trade of %s', (file) => {
    const names = schema.fields.map(({ name }) => name);
    const data = readFrames(`kraken/${file}`).map((frame) => JSON.parse(frame.toString()));
    const all = data.filter(({ channel }) => channel === 'trade').flatMap((frame) => frame.data);
    expect(all.length).toBeGreaterThan(0);
    for (const one of all) {
      if (!schema.isValid(one)) expect.fail(`does not conform: ${JSON.stringify(one)}`);
      expect(Object.keys(one).sort()).toEqual([...names].sort());
    }
  });

  test('a real frame cut short anywhere is unreadable', () => {
    const frame = readFrames('kraken/v2-trade-20260930.jsonl').find((one) => one.includes('"trade","type":"update"'));
    if (!frame) throw new Error('no update is recorded');
    for (let at = 0; at < frame.length; at++) expect(kraken.parse(frame.subarray(0, at)).kind).toBe('unreadable');
  });

  test('damaged frames give values, never exceptions', () => {
    expectToReadAnything(
      kraken.parse,
      files.flatMap((file) => readFrames(`kraken/${file}`)),
    );
  });

  test.each(['v1-trade-20210417.jsonl', 'v1-ticker-20210417.jsonl', 'v1-verbatim-samples.jsonl'])(
    'no frame of version 1, which has another address, is taken for a trade or an answer: %s',
    (file) => {
      const kinds = readFrames(`kraken/${file}`).map((frame) => kraken.parse(frame).kind);
      expect(kinds.filter((kind) => kind !== 'unreadable' && kind !== 'ignored')).toEqual([]);
    },
  );
});

describe.skipIf(noRecordings)(`recorded answers of REST ${noRecordings ?? ''}`, () => {
  const { parse } = kraken.backfill as Backfill;

  test.each([
    ['Trades-20260925-BTCUSD.json', 'BTC/USD', 3],
    ['Trades-20251110-XBTUSDT.json.gz', 'BTC/USDT', 1000],
  ])('every row of %s is read digit by digit, and kept byte for byte', (file, symbol, count) => {
    const body = readBody(file);
    const answer = parse({ symbol, canonicalSymbol: symbol }, 200, body);
    const pattern = /\[\s*"([\d.]+)",\s*"([\d.]+)",\s*(\d+)\.(\d{3})\d*,\s*"([bs])",\s*"[ml]",\s*"",\s*(\d+)\s*\]/g;
    const expected = [...body.matchAll(pattern)].map((match) => {
      const [text, price = '', quantity = '', seconds = '', ms = '', side = '', tradeId = ''] = match;
      const exchangeTimeMs = Number(seconds + ms);
      return { text, trade: { symbol, tradeId, price, quantity, ...sideOf(side), exchangeTimeMs, ...notSent } };
    });
    expect(expected.length).toBe(count);
    expect(answer).toEqual({ kind: 'trades', trades: expected });
    expectConsecutive(answer.kind === 'trades' ? answer.trades.map(({ trade }) => trade) : []);
  });

  const listings = (answer: ListingAnswer): Map<string, Listing> =>
    new Map(answer.kind === 'listed' ? answer.listings.map((listing) => [listing.symbol, listing]) : []);

  test('all pairs but the dark pools are listed, by the names of version 2', () => {
    const body = readBody('AssetPairs-20210417.json.gz');
    const all = listings(kraken.listing.parse(200, body));
    expect([...body.matchAll(/"altname":/g)].length).toBe(304);
    expect(all.size).toBe(293);
    expect([...all.keys()].filter((symbol) => /XBT|XDG/.test(symbol))).toEqual([]);
    expect(all.get('BTC/USD')).toEqual({ symbol: 'BTC/USD', canonicalSymbol: 'BTC/USD', restSymbol: 'XBTUSD' });
    expect(all.get('DOGE/BTC')?.restSymbol).toBe('XDGXBT');
    for (const { symbol } of all.values()) expect(symbol).toMatch(/^[A-Z0-9.]+\/[A-Z0-9]+$/);
  });

  test('the pairs of 2026 are listed, whether they trade or not', () => {
    const all = listings(kraken.listing.parse(200, readBody('AssetPairs-20260925-five-pairs.json')));
    expect([...all.keys()]).toEqual(['BTC/USD', 'DOGE/USD', 'ETH/BTC', 'SOL/USD', 'ACA/EUR']);
  });
});
