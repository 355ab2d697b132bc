import { describe, expect, test } from 'vitest';
import { coinbaseAdvanced } from '../../../worker/exchanges/coinbase-advanced.ts';
import type { Backfill, Listing } from '../../../worker/exchanges/exchange.ts';
import type { Trade } from '../../../worker/trade.ts';
import { expectConforms, expectToReadAnyAnswer, expectToReadAnything } from './properties.ts';

const parse = (text: string) => coinbaseAdvanced.parse(Buffer.from(text));

// https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels#market-trades-channel
const documented = {
  trade_id: '000000000',
  product_id: 'ETH-USD',
  price: '1260.01',
  size: '0.3',
  side: 'BUY',
  time: '2019-08-14T20:42:27.265Z',
};
const frameOf = (...trades: unknown[]) =>
  JSON.stringify({
    channel: 'market_trades',
    client_id: '',
    timestamp: '2023-02-09T20:19:35.39625135Z',
    sequence_num: 0,
    events: [{ type: 'snapshot', trades }],
  });

const trade: Trade = {
  symbol: 'ETH-USD',
  tradeId: '000000000',
  price: '1260.01',
  quantity: '0.3',
  side: 'SELL',
  exchangeTimeMs: Date.UTC(2019, 7, 14, 20, 42, 27, 265),
  sequenceNumber: null,
  isBuyerMaker: true,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a market_trades frame', () => {
  test('of a maker who bought was sold by the taker, and the other way round', () => {
    expect(parse(frameOf(documented))).toEqual({ kind: 'trades', trades: [trade] });
    const bought = { ...trade, side: 'BUY', isBuyerMaker: false };
    expect(parse(frameOf({ ...documented, side: 'SELL' }))).toEqual({ kind: 'trades', trades: [bought] });
  });

  test('gives the trades of all its events, in its order', () => {
    const events = ['3 2', '9'].map((ids) => ({
      type: 'update',
      trades: ids.split(' ').map((id) => ({ ...documented, trade_id: id })),
    }));
    const parsed = parse(JSON.stringify({ channel: 'market_trades', events }));
    expect(parsed).toEqual({ kind: 'trades', trades: ['3', '2', '9'].map((tradeId) => ({ ...trade, tradeId })) });
  });

  test.each(['[]', 'null'])('with %s for trades holds nothing', (trades) => {
    const text = `{"channel":"market_trades","events":[{"type":"snapshot","trades":${trades}}]}`;
    expect(parse(text)).toEqual({ kind: 'ignored', what: 'market_trades without a trade' });
  });

  test('with one bad trade is unreadable as a whole', () => {
    const why = 'trade has no side';
    expect(parse(frameOf(documented, { ...documented, side: undefined }))).toEqual({ kind: 'unreadable', why });
  });

  test.each([
    ['events', '{"channel":"market_trades"}', 'events is not a list'],
    ['trades', '{"channel":"market_trades","events":[{"type":"update"}]}', 'trades is not a list'],
    ['an object', '{"channel":"market_trades","events":[{"trades":[7]}]}', 'trade is not an object'],
  ])('without %s is unreadable', (_name, text, why) => {
    expect(parse(text)).toEqual({ kind: 'unreadable', why });
  });

  test.each([
    ['product_id', '', `trade's product_id "" is not a symbol`],
    ['trade_id', 1.5, "trade's trade_id 1.5 is not an id"],
    ['trade_id', '1a', `trade's trade_id "1a" is not an id`],
    ['price', 1260.01, "trade's price 1260.01 is not a decimal"],
    ['size', '-1', `trade's size "-1" is not a decimal`],
    ['side', 'UNKNOWN_ORDER_SIDE', `trade's side "UNKNOWN_ORDER_SIDE" is not BUY or SELL`],
    ['time', '2019-08-14 20:42:27', `trade's time "2019-08-14 20:42:27" is not a time as in RFC 3339`],
  ])('whose %s is %j is unreadable, and the reason says so', (field, value, why) => {
    expect(parse(frameOf({ ...documented, [field]: value }))).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  const acknowledgement = (subscriptions: object) =>
    JSON.stringify({ channel: 'subscriptions', sequence_num: 2, events: [{ subscriptions }] });
  test.each([
    [
      'an acknowledgement names all that are subscribed by now, and what streams by their names',
      acknowledgement({ heartbeats: ['heartbeats'], market_trades: ['BTC-USD', 'ETH-EUR'] }),
      { kind: 'subscribed', requestId: null, symbols: ['BTC-USD', 'BTC-USDC', 'ETH-EUR'] },
    ],
    [
      'an acknowledgement of heartbeats alone names none',
      acknowledgement({ heartbeats: ['heartbeats'] }),
      { kind: 'subscribed', requestId: null, symbols: [] },
    ],
    [
      'an error, which names no product',
      '{"type":"error","message":"failed to subscribe"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'failed to subscribe' },
    ],
    [
      'an error without words',
      '{"type":"error"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'no reason given' },
    ],
    [
      'a heartbeat, whose time is not one of RFC 3339',
      '{"channel":"heartbeats","events":[{"current_time":"2026-08-09 21:05:48.854840045 +0000 UTC m=+41691.2"}]}',
      { kind: 'heartbeat' },
    ],
    ['a ticker', '{"channel":"ticker","events":[]}', { kind: 'ignored', what: 'ticker' }],
    ['a message without a channel', '{"events":[]}', { kind: 'unreadable', why: 'no channel' }],
    ['an array', '[1]', { kind: 'unreadable', why: 'not a JSON object' }],
    ['no JSON', '{"channel":', { kind: 'unreadable', why: 'not JSON' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('any bytes, any JSON and damaged frames give a value, never an exception', () => {
    expectToReadAnything(coinbaseAdvanced.parse, [Buffer.from(frameOf(documented, documented))]);
  });
});

test('subscribe asks for heartbeats, then for twenty products a request', () => {
  const symbols = Array.from({ length: 21 }, (_, index) => `C${index}-USD`);
  const requests = coinbaseAdvanced.subscribe(symbols, 3);
  expect(requests.map((request) => request.symbols)).toEqual([[], symbols.slice(0, 20), ['C20-USD']]);
  expect(requests.map(({ id }) => id)).toEqual(['3', '4', '5']);
  expect(requests[0]?.text).toBe('{"type":"subscribe","channel":"heartbeats","product_ids":[]}');
  expect(requests[2]?.text).toBe('{"type":"subscribe","channel":"market_trades","product_ids":["C20-USD"]}');
});

describe('listing', () => {
  const { parse: parseListing, requestUrl } = coinbaseAdvanced.listing;
  const product = { product_type: 'SPOT', product_id: 'A-USD', base_currency_id: 'A', quote_currency_id: 'USD' };
  const answerOf = (...products: object[]) => JSON.stringify({ products, pagination: { has_next: false } });

  test('asks for all products at once, and leaves out futures', () => {
    expect(requestUrl('https://rest', ['BTC-USD'])).toBe('https://rest/api/v3/brokerage/market/products');
    const future = { ...product, product_type: 'FUTURE', product_id: 'BIT-28NOV25-CDE' };
    const listings = [{ symbol: 'A-USD', canonicalSymbol: 'A/USD' }];
    expect(parseListing(200, answerOf(future, product))).toEqual({ kind: 'listed', listings });
  });

  test.each([
    [500, '{}', 'status 500: {}'],
    [200, '<html>', 'no list of products: <html>'],
    [200, '{"products":[{}]}', 'a product has no product_id, base_currency_id or quote_currency_id'],
    [200, '{"products":[],"pagination":{"has_next":true}}', 'the exchange lists its products in pages, the first of 0'],
  ])('status %i with %s fails, and says why', (status, body, why) => {
    expect(parseListing(status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    expectToReadAnyAnswer(parseListing);
  });
});

describe('backfill', () => {
  const backfill = coinbaseAdvanced.backfill as Backfill;
  const listing: Listing = { symbol: 'BTC-USDC', canonicalSymbol: 'BTC/USDC', streamedAs: 'BTC-USD' };
  const range = { listing, firstId: 70n, afterTimeMs: 0 };

  test('asks Coinbase Exchange for the trades up to the last that is missing, by the name that they stream by', () => {
    expect(backfill.requestUrl(coinbaseAdvanced.restUrl, { ...range, lastId: 74n })).toBe(
      'https://api.exchange.coinbase.com/products/BTC-USD/trades?limit=1000&after=75',
    );
    expect(backfill.direction).toBe('descending');
  });

  test('asks a configured host itself, up to now where no last is known', () => {
    expect(backfill.requestUrl('http://simulator:8080', { ...range, lastId: null })).toBe(
      'http://simulator:8080/products/BTC-USD/trades?limit=1000',
    );
  });

  // https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades
  const elements = [
    '{"time":"2014-11-07T22:19:28.578544Z","trade_id":74,"price":"10.00000000","size":"0.01000000","side":"buy"}',
    '{ "time": "2014-11-07T01:08:43.64Z", "trade_id": 73, "price": "100.0", "size": "0.01", "side": "sell" }',
  ];

  test('gives each trade with its element of the answer, byte for byte', () => {
    const answer = backfill.parse(listing, 200, `[${elements.join(',\n ')}]`);
    const [sold, bought] = [
      { tradeId: '74', price: '10.00000000', quantity: '0.01000000', side: 'SELL', isBuyerMaker: true },
      { tradeId: '73', price: '100.0', quantity: '0.01', side: 'BUY', isBuyerMaker: false },
    ];
    const rest = { ...trade, symbol: 'BTC-USD' };
    expect(answer).toEqual({
      kind: 'trades',
      trades: [
        { trade: { ...rest, ...sold, exchangeTimeMs: Date.UTC(2014, 10, 7, 22, 19, 28, 578) }, text: elements[0] },
        { trade: { ...rest, ...bought, exchangeTimeMs: Date.UTC(2014, 10, 7, 1, 8, 43, 640) }, text: elements[1] },
      ],
    });
    for (const element of elements) expectConforms('coinbase', element);
  });

  test.each([
    [429, 'slow down', 'status 429: slow down'],
    [200, '[', 'not JSON: ['],
    [200, '{}', 'not a list of trades: {}'],
    [200, '[1]', 'trade is not an object'],
    [200, '[{"trade_id":1.5}]', "trade's trade_id 1.5 is not an id"],
  ])('status %i with %s fails, and says why', (status, body, why) => {
    expect(backfill.parse(listing, status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    expectToReadAnyAnswer((status, body) => backfill.parse(listing, status, body));
  });
});
