import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binance } from '../../../worker/exchanges/binance.ts';
import type { Trade } from '../../../worker/trade.ts';
import { noRecordings, readFrames } from '../recordings.ts';

const parse = (text: string) => binance.parse(Buffer.from(text));

const payload = {
  e: 'trade',
  E: 1723161255343,
  s: 'BTCUSDT',
  t: 3735683259,
  p: '61837.63000000',
  q: '0.02000000',
  T: 1723161255342,
  m: true,
  M: true,
};
const envelope = (data: object) => JSON.stringify({ stream: 'btcusdt@trade', data });

const trade: Trade = {
  symbol: 'BTCUSDT',
  tradeId: '3735683259',
  price: '61837.63000000',
  quantity: '0.02000000',
  side: 'SELL',
  exchangeTimeMs: 1723161255342,
  sequenceNumber: null,
  isBuyerMaker: true,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a trade frame', () => {
  test('gives the trade, digits as sent', () => {
    expect(parse(envelope(payload))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('is read without the envelope, too', () => {
    expect(parse(JSON.stringify(payload))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('of a buyer who is not the maker was bought by the taker', () => {
    const expected = { ...trade, side: 'BUY', isBuyerMaker: false };
    expect(parse(envelope({ ...payload, m: false }))).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('with the order ids of before June 2024 gives them', () => {
    const expected = { ...trade, buyerOrderId: 27777962514, sellerOrderId: 27777962896 };
    const frame = envelope({ ...payload, b: 27777962514, a: 27777962896 });
    expect(parse(frame)).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('needs neither M nor fields that are not read', () => {
    expect(parse(envelope({ ...payload, M: undefined, X: 'MARKET' })).kind).toBe('trades');
  });

  test('with an id beyond 2^53 gives all its digits', () => {
    const frame = envelope(payload).replace('3735683259', '9007199254740993');
    expect(parse(frame)).toEqual({ kind: 'trades', trades: [{ ...trade, tradeId: '9007199254740993' }] });
  });

  test("with such an id gives the trade's own, whatever else is named t", () => {
    const frame = `{"t":5,${envelope(payload).slice(1).replace('3735683259', '9007199254740993')}`;
    expect(parse(frame)).toEqual({ kind: 'trades', trades: [{ ...trade, tradeId: '9007199254740993' }] });
  });

  test('with an id longer than any is unreadable', () => {
    const frame = envelope(payload).replace('3735683259', '9'.repeat(21));
    expect(parse(frame)).toEqual({ kind: 'unreadable', why: "trade's t 1e+21 is not an id" });
  });

  test.each(['t', 'p', 'q', 'T', 'm', 'b'])('whose %s nests deeper than the stack is unreadable', (field) => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const frame = envelope({ ...payload, [field]: 'here' }).replace('"here"', deep);
    expect(parse(frame).kind).toBe('unreadable');
  });

  test.each([
    ['t', undefined, 'trade has no t'],
    ['t', 'x', `trade's t "x" is not an id`],
    ['t', 1.5, "trade's t 1.5 is not an id"],
    ['s', '', `trade's s "" is not a symbol`],
    ['p', 61837.63, "trade's p 61837.63 is not a decimal"],
    ['p', '1e5', `trade's p "1e5" is not a decimal`],
    ['q', null, "trade's q null is not a decimal"],
    ['T', '1', `trade's T "1" is not a time in milliseconds`],
    ['T', -1, "trade's T -1 is not a time in milliseconds"],
    ['T', 8_640_000_000_000_001, "trade's T 8640000000000001 is not a time in milliseconds"],
    ['q', { of: [] }, "trade's q {..} is not a decimal"],
    ['m', 1, "trade's m 1 is not true or false"],
    ['b', 'x', `trade's b "x" is not an order id`],
    ['a', 2 ** 53, "trade's a 9007199254740992 is not an order id"],
  ])('whose %s is %j is unreadable, and the reason says so', (field, value, why) => {
    expect(parse(envelope({ ...payload, [field]: value }))).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  test.each([
    ['an acknowledgement', '{"result":null,"id":1}', { kind: 'subscribed', requestId: '1', symbols: null }],
    [
      'an error with its request',
      '{"error":{"code":2,"msg":"Invalid request: no params"},"id":7}',
      { kind: 'rejected', requestId: '7', symbols: null, why: 'Invalid request: no params (code 2)' },
    ],
    [
      'an error without one',
      '{"code":2,"msg":"Invalid request: unknown variant"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'Invalid request: unknown variant (code 2)' },
    ],
    ['a shutdown', '{"e":"serverShutdown","E":1770123456789}', { kind: 'notice', why: 'serverShutdown' }],
    [
      'an enveloped shutdown',
      '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
      { kind: 'notice', why: 'serverShutdown' },
    ],
    ['a block trade', '{"e":"blockTrade","s":"BNBBTC","t":582}', { kind: 'ignored', what: 'blockTrade' }],
    ['a book ticker', '{"u":400900217,"s":"BNBUSDT","b":"25.3","B":"31"}', { kind: 'ignored', what: 'no event type' }],
    ['no JSON', '{"stream":', { kind: 'unreadable', why: 'not JSON' }],
    ['an array', '[1]', { kind: 'unreadable', why: 'not a JSON object' }],
    ['an envelope of nothing', '{"stream":"x","data":null}', { kind: 'unreadable', why: 'data is not an object' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('any bytes give a value, never an exception', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => typeof binance.parse(Buffer.from(bytes)).kind === 'string'));
  });

  test('any JSON gives a value, never an exception', () => {
    fc.assert(fc.property(fc.json(), (text) => typeof parse(text).kind === 'string'));
  });

  test('a trade with any values in any fields is either read whole or unreadable', () => {
    const field = fc.constantFrom(...Object.keys(payload), 'b', 'a');
    fc.assert(
      fc.property(fc.dictionary(field, fc.jsonValue()), (changes) => {
        const parsed = parse(envelope({ ...payload, ...changes, e: 'trade' }));
        if (parsed.kind !== 'trades') return parsed.kind === 'unreadable';
        const [read] = parsed.trades;
        return read !== undefined && typeof read.price === 'string' && /^\d+$/.test(read.tradeId);
      }),
    );
  });
});

describe('subscribe', () => {
  test('asks for the trade streams in lower case', () => {
    const [request] = binance.subscribe(['BTCUSDT', 'ETHUSDT'], 3);
    expect(request).toEqual({
      id: '3',
      text: '{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":3}',
      symbols: ['BTCUSDT', 'ETHUSDT'],
    });
  });

  test('any symbols are asked for once each, in order, in messages that the exchange answers', () => {
    const symbol = fc.stringMatching(/^[A-Z0-9]{2,64}$/);
    fc.assert(
      fc.property(fc.uniqueArray(symbol, { maxLength: 1000 }), (symbols) => {
        const requests = binance.subscribe(symbols, 1);
        expect(requests.flatMap((request) => request.symbols)).toEqual(symbols);
        expect(requests.map(({ id }) => Number(id))).toEqual(requests.map((_, index) => index + 1));
        for (const { text } of requests) expect(Buffer.byteLength(text) + 8).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 20 },
    );
  });
});

describe('listing', () => {
  const { parse: parseListing, requestUrl } = binance.listing;

  test('asks for the symbols, encoded', () => {
    expect(requestUrl('https://api.binance.com', ['BTCUSDT', '币安USDT'])).toBe(
      'https://api.binance.com/api/v3/exchangeInfo?showPermissionSets=false&symbols=%5B%22BTCUSDT%22%2C%22%E5%B8%81%E5%AE%89USDT%22%5D',
    );
  });

  test.each([
    [400, '{"code":-1121,"msg":"Invalid symbol."}', { kind: 'unlisted' }],
    [429, '{"code":-1003,"msg":"Too many"}', { kind: 'failed', why: 'status 429: {"code":-1003,"msg":"Too many"}' }],
    [200, '<html>', { kind: 'failed', why: 'status 200, not JSON: <html>' }],
    [200, '{}', { kind: 'failed', why: 'symbols is not a list of symbol, baseAsset, quoteAsset' }],
    [200, '{"symbols":[null]}', { kind: 'failed', why: 'symbols is not a list of symbol, baseAsset, quoteAsset' }],
  ])('status %i with %s', (status, body, expected) => {
    expect(parseListing(status, body)).toEqual(expected);
  });

  test('any answer gives a value, never an exception', () => {
    const body = fc.oneof(fc.string(), fc.json());
    fc.assert(fc.property(fc.integer(), body, (status, text) => typeof parseListing(status, text).kind === 'string'));
  });
});

describe.skipIf(noRecordings)(`recorded frames ${noRecordings ?? ''}`, () => {
  const spot = [
    ['spot-trade-btcusdt-20240808.jsonl.gz', 9757],
    ['spot-trade-ethusdt-20240808.jsonl.gz', null],
    ['spot-trade-ethusdt-20240809.jsonl.gz', null],
  ] as const;
  const schemaText = readFileSync(new URL('../../../schemas/binance-trade.avsc', import.meta.url), 'utf8');
  const schema = avsc.Type.forSchema(JSON.parse(schemaText));
  const withNulls = (data: object) => ({ b: null, a: null, ...data });

  test.each(spot)('every frame of %s is read as the trade it holds', (file, count) => {
    const frames = readFrames(`binance/${file}`);
    if (count !== null) expect(frames.length).toBe(count);
    for (const frame of frames) {
      const { data } = JSON.parse(frame.toString());
      const ids = { tradeId: String(data.t), buyerOrderId: data.b ?? null, sellerOrderId: data.a ?? null };
      const rest = { symbol: data.s, price: data.p, quantity: data.q, exchangeTimeMs: data.T, isBuyerMaker: data.m };
      const expected = { ...rest, ...ids, side: data.m ? 'SELL' : 'BUY', sequenceNumber: null };
      expect(binance.parse(frame)).toEqual({ kind: 'trades', trades: [expected] });
    }
  });

  test.each(spot)('the raw schema documents every frame of %s', (file) => {
    const names = (schema as avsc.types.RecordType).fields.map(({ name }) => name);
    for (const frame of readFrames(`binance/${file}`)) {
      const { data } = JSON.parse(frame.toString());
      if (!schema.isValid(withNulls(data))) expect.fail(`does not conform: ${frame}`);
      expect(names).toEqual(expect.arrayContaining(Object.keys(data)));
    }
  });

  test('single frames of seven years are read, with order ids or without', () => {
    const parsed = readFrames('binance/verbatim-samples.jsonl').map(binance.parse);
    expect(parsed.map(({ kind }) => kind)).toEqual(parsed.map(() => 'trades'));
    for (const frame of readFrames('binance/verbatim-samples.jsonl')) {
      const value = JSON.parse(frame.toString());
      expect(schema.isValid(withNulls(value.data ?? value))).toBe(true);
    }
  });

  test.each(['spot-mixed-aggtrade-20211012.jsonl', 'spot-mixed-btcusdt-20240808-full.jsonl.gz', 'docs-examples.jsonl'])(
    'no frame of %s is unreadable',
    (file) => {
      const unreadable = readFrames(`binance/${file}`).filter((frame) => binance.parse(frame).kind === 'unreadable');
      expect(unreadable.map(String)).toEqual([]);
    },
  );

  test('a real frame cut short anywhere is unreadable', () => {
    const [frame] = readFrames('binance/spot-trade-btcusdt-20240808.jsonl.gz');
    if (!frame) throw new Error('the recording is empty');
    for (let at = 0; at < frame.length; at++) {
      expect(binance.parse(frame.subarray(0, at)).kind).toBe('unreadable');
    }
  });
});
