import { describe, expect, test } from 'vitest';
import { bybit } from '../../../worker/exchanges/bybit.ts';
import type { Trade } from '../../../worker/trade.ts';
import { expectToReadAnyAnswer, expectToReadAnything } from './properties.ts';

const parse = (text: string) => bybit.parse(Buffer.from(text));

// https://bybit-exchange.github.io/docs/v5/websocket/public/trade, with an id of spot
const documented = {
  T: 1672304486865,
  s: 'BTCUSDT',
  S: 'Buy',
  v: '0.001',
  p: '16578.50',
  i: '2290000001189048101',
  BT: false,
  seq: 1783284617,
};
const frameOf = (...data: unknown[]) =>
  JSON.stringify({ topic: 'publicTrade.BTCUSDT', type: 'snapshot', ts: 1672304486868, data });

const trade: Trade = {
  symbol: 'BTCUSDT',
  tradeId: '2290000001189048101',
  price: '16578.50',
  quantity: '0.001',
  side: 'BUY',
  exchangeTimeMs: 1672304486865,
  sequenceNumber: 1783284617,
  isBuyerMaker: false,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a publicTrade frame', () => {
  test('gives the trade, its id with all digits', () => {
    expect(parse(frameOf(documented))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('of a taker who sold', () => {
    const expected = { ...trade, side: 'SELL', isBuyerMaker: true };
    expect(parse(frameOf({ ...documented, S: 'Sell' }))).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('gives 1,024 trades in its order', () => {
    const ids = Array.from({ length: 1024 }, (_, index) => `2290000001189048${100 + index}`);
    const parsed = parse(frameOf(...ids.map((i) => ({ ...documented, i }))));
    expect(parsed).toEqual({ kind: 'trades', trades: ids.map((tradeId) => ({ ...trade, tradeId })) });
  });

  test.each([
    ['of before 2025', undefined],
    ['beyond 2^53', 2 ** 53],
  ])('with a sequence %s has none', (_name, seq) => {
    const expected = { ...trade, sequenceNumber: null };
    expect(parse(frameOf({ ...documented, seq }))).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('without a trade holds nothing', () => {
    expect(parse(frameOf())).toEqual({ kind: 'ignored', what: 'publicTrade without a trade' });
  });

  test('with one bad trade is unreadable as a whole', () => {
    const why = 'trade has no S';
    expect(parse(frameOf(documented, { ...documented, S: undefined }))).toEqual({ kind: 'unreadable', why });
  });

  test.each([
    ['s', ['BTCUSDT'], `trade's s ["BTCUSDT"] is not a symbol`],
    ['i', 2290000001, "trade's i 2290000001 is not an id"],
    ['i', '', `trade's i "" is not an id`],
    ['p', 16578.5, "trade's p 16578.5 is not a decimal"],
    ['v', '1e-3', `trade's v "1e-3" is not a decimal`],
    ['S', 'BUY', `trade's S "BUY" is not Buy or Sell`],
    ['T', '1672304486865', `trade's T "1672304486865" is not a time in milliseconds`],
    ['T', 1.5, "trade's T 1.5 is not a time in milliseconds"],
  ])('whose %s is %j is unreadable, and the reason says so', (field, value, why) => {
    expect(parse(frameOf({ ...documented, [field]: value }))).toEqual({ kind: 'unreadable', why });
  });

  test.each([
    ['{"topic":"publicTrade.BTCUSDT"}', 'data is not a list'],
    ['{"topic":"publicTrade.BTCUSDT","data":[7]}', 'trade is not an object'],
  ])('%s is unreadable', (text, why) => {
    expect(parse(text)).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  test.each([
    // https://bybit-exchange.github.io/docs/v5/ws/connect
    [
      'an acknowledgement names its request, not its topic',
      '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"10001","op":"subscribe"}',
      { kind: 'subscribed', requestId: '10001', symbols: null },
    ],
    [
      'an acknowledgement with an empty request id names none',
      '{"success":true,"ret_msg":"","conn_id":"3cd84cb1","req_id":"","op":"subscribe"}',
      { kind: 'subscribed', requestId: null, symbols: null },
    ],
    [
      'a refusal names its request, and no symbol: it refuses all of them',
      '{"success":false,"ret_msg":"Invalid symbol :[publicTrade.NOPEUSDT]","req_id":"7","op":"subscribe"}',
      { kind: 'rejected', requestId: '7', symbols: null, why: 'Invalid symbol :[publicTrade.NOPEUSDT]' },
    ],
    [
      'a refusal that names no topic',
      '{"success":false,"ret_msg":"args size \\u003e10","conn_id":"0a555e6f","op":"subscribe"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'args size >10' },
    ],
    [
      'a refusal without words',
      '{"success":false,"ret_msg":"","op":""}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'no reason given' },
    ],
    [
      'the answer to a ping',
      '{"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}',
      { kind: 'heartbeat' },
    ],
    ['a pong', '{"args":["1672916271846"],"op":"pong"}', { kind: 'heartbeat' }],
    ['a ticker', '{"topic":"tickers.BTCUSDT","data":{}}', { kind: 'ignored', what: 'tickers' }],
    ['another answer', '{"success":true,"op":"auth"}', { kind: 'ignored', what: 'auth' }],
    ['neither topic nor op', '{"success":true}', { kind: 'unreadable', why: 'neither topic nor op' }],
    ['an array', '[1]', { kind: 'unreadable', why: 'not a JSON object' }],
    ['no JSON', 'pong', { kind: 'unreadable', why: 'not JSON' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('any bytes, any JSON and damaged frames give a value, never an exception', () => {
    expectToReadAnything(bybit.parse, [Buffer.from(frameOf(documented, documented))]);
  });
});

test('connects to the public stream of spot, and pings it', () => {
  expect(bybit.connectUrl(bybit.webSocketUrl)).toBe('wss://stream.bybit.com/v5/public/spot');
  expect(bybit.keepalive).toEqual({ text: '{"op":"ping"}', intervalMs: 20_000 });
});

describe('subscribe', () => {
  test('asks for ten symbols a request', () => {
    const symbols = Array.from({ length: 11 }, (_, index) => `C${index}USDT`);
    const requests = bybit.subscribe(symbols, 3);
    expect(requests.map((request) => request.symbols)).toEqual([symbols.slice(0, 10), ['C10USDT']]);
    expect(requests[1]).toMatchObject({
      id: '4',
      text: '{"req_id":"4","op":"subscribe","args":["publicTrade.C10USDT"]}',
    });
  });

  test('stays within 21,000 characters of topics a connection', () => {
    const longest = `publicTrade.${'X'.repeat(27)}`;
    expect(bybit.limits.symbolsPerConnection * `"${longest}",`.length).toBeLessThanOrEqual(21_000);
  });
});

describe('listing', () => {
  const { parse: parseListing, requestUrl } = bybit.listing;

  test('asks for all symbols of spot at once', () => {
    expect(requestUrl('https://rest', ['BTCUSDT'])).toBe('https://rest/v5/market/instruments-info?category=spot');
  });

  test.each([
    [403, 'access too frequent', 'status 403: access too frequent'],
    [200, '<html>', 'no retCode: <html>'],
    [200, '{"retCode":10006,"retMsg":"Too many visits!"}', 'Too many visits! (retCode 10006)'],
    [200, '{"retCode":0,"result":{}}', 'no list of symbols: {"retCode":0,"result":{}}'],
    [200, '{"retCode":0,"result":{"list":[{}]}}', 'an entry has no symbol, baseCoin or quoteCoin'],
  ])('status %i with %s fails, and says why', (status, body, why) => {
    expect(parseListing(status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    expectToReadAnyAnswer(parseListing);
  });
});
