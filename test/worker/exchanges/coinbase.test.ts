import { describe, expect, test } from 'vitest';
import { coinbase } from '../../../worker/exchanges/coinbase.ts';
import type { Backfill, Listing } from '../../../worker/exchanges/exchange.ts';
import type { Trade } from '../../../worker/trade.ts';
import { expectConforms, expectToReadAnyAnswer, expectToReadAnything } from './properties.ts';

const parse = (text: string) => coinbase.parse(Buffer.from(text));

// https://docs.cdp.coinbase.com/exchange/websocket-feed/channels#match
const documented = {
  type: 'match',
  trade_id: 10,
  sequence: 50,
  maker_order_id: 'ac928c66-ca53-498f-9c13-a110027a60e8',
  taker_order_id: '132fb6ae-456b-4654-b4e0-d681ac05cea1',
  time: '2014-11-07T08:19:27.028459Z',
  product_id: 'BTC-USD',
  size: '5.23512',
  price: '400.23',
  side: 'sell',
};

const trade: Trade = {
  symbol: 'BTC-USD',
  tradeId: '10',
  price: '400.23',
  quantity: '5.23512',
  side: 'BUY',
  exchangeTimeMs: Date.UTC(2014, 10, 7, 8, 19, 27, 28),
  sequenceNumber: 50,
  isBuyerMaker: false,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a match', () => {
  test('of a maker who sold was bought by the taker', () => {
    expect(parse(JSON.stringify(documented))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('of a maker who bought was sold by the taker', () => {
    const expected = { ...trade, side: 'SELL', isBuyerMaker: true };
    expect(parse(JSON.stringify({ ...documented, side: 'buy' }))).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('from before the subscription is a trade, too', () => {
    expect(parse(JSON.stringify({ ...documented, type: 'last_match' }))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('keeps the digits of an id beyond 2^53, and leaves out such a sequence', () => {
    const text = JSON.stringify(documented).replace(':10,', ':9007199254740993,').replace(':50,', ':9007199254740993,');
    const expected = { ...trade, tradeId: '9007199254740993', sequenceNumber: null };
    expect(parse(text)).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('needs neither order ids nor a sequence', () => {
    const { price, size, time, side, trade_id, product_id, type } = documented;
    const parsed = parse(JSON.stringify({ price, size, time, side, trade_id, product_id, type }));
    expect(parsed).toEqual({ kind: 'trades', trades: [{ ...trade, sequenceNumber: null }] });
  });

  test.each([
    ['product_id', undefined, 'trade has no product_id'],
    ['product_id', '', `trade's product_id "" is not a symbol`],
    ['trade_id', '10', `trade's trade_id "10" is not an id`],
    ['trade_id', 1.5, "trade's trade_id 1.5 is not an id"],
    ['trade_id', -1, "trade's trade_id -1 is not an id"],
    ['price', 400.23, "trade's price 400.23 is not a decimal"],
    ['price', '4e2', `trade's price "4e2" is not a decimal`],
    ['size', null, "trade's size null is not a decimal"],
    ['side', 'SELL', `trade's side "SELL" is not buy or sell`],
    ['time', '2014-11-07', `trade's time "2014-11-07" is not a time as in RFC 3339`],
  ])('whose %s is %j is unreadable, and the reason says so', (field, value, why) => {
    expect(parse(JSON.stringify({ ...documented, [field]: value }))).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  const acknowledgement = (...channels: object[]) => JSON.stringify({ type: 'subscriptions', channels });
  const refused = '{"type":"error","message":"Failed to subscribe","reason":"GIBBERISH-USD is not a valid product"}';
  test.each([
    [
      'an acknowledgement names all that are subscribed by now',
      acknowledgement(
        { name: 'heartbeat', product_ids: ['A-B'] },
        { name: 'matches', product_ids: ['BTC-USD', 'A-B'] },
      ),
      { kind: 'subscribed', requestId: null, symbols: ['BTC-USD', 'A-B'] },
    ],
    [
      'an acknowledgement without matches names none',
      acknowledgement(),
      { kind: 'subscribed', requestId: null, symbols: [] },
    ],
    [
      'a refusal names its product',
      refused,
      {
        kind: 'rejected',
        requestId: null,
        symbols: ['GIBBERISH-USD'],
        why: 'Failed to subscribe: GIBBERISH-USD is not a valid product',
      },
    ],
    [
      'a refusal of no product names none',
      '{"type":"error","message":"Failed to subscribe","reason":"No channels provided"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'Failed to subscribe: No channels provided' },
    ],
    [
      'an error without words',
      '{"type":"error"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'no reason given' },
    ],
    [
      'the error of a client that reads too slowly announces the end',
      '{"type":"error","message":"ErrSlowConsume"}',
      { kind: 'notice', why: 'ErrSlowConsume' },
    ],
    [
      'a heartbeat',
      '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD"}',
      { kind: 'heartbeat' },
    ],
    ['a ticker, which repeats a match', '{"type":"ticker","trade_id":20153558}', { kind: 'ignored', what: 'ticker' }],
    ['a message without a type', '{"trade_id":1}', { kind: 'unreadable', why: 'no type' }],
    ['an array', '[1]', { kind: 'unreadable', why: 'not a JSON object' }],
    ['no JSON', '{"type":', { kind: 'unreadable', why: 'not JSON' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('any bytes, any JSON and damaged frames give a value, never an exception', () => {
    expectToReadAnything(coinbase.parse, [JSON.stringify(documented), refused].map(Buffer.from));
  });
});

test('subscribe asks for matches and heartbeats, one product a request', () => {
  const requests = coinbase.subscribe(['BTC-USD', 'ETH-EUR'], 3);
  expect(requests).toEqual([
    { id: '3', text: expect.stringContaining('"BTC-USD"'), symbols: ['BTC-USD'] },
    {
      id: '4',
      text: JSON.stringify({
        type: 'subscribe',
        channels: [
          { name: 'matches', product_ids: ['ETH-EUR'] },
          { name: 'heartbeat', product_ids: ['ETH-EUR'] },
        ],
      }),
      symbols: ['ETH-EUR'],
    },
  ]);
});

describe('listing', () => {
  const { parse: parseListing, requestUrl } = coinbase.listing;

  test('asks for all products at once', () => {
    expect(requestUrl('https://rest', ['BTC-USD'])).toBe('https://rest/products');
  });

  test.each([
    [429, '{"message":"Public rate limit exceeded"}', 'status 429: {"message":"Public rate limit exceeded"}'],
    [200, '<html>', 'not a list of products: <html>'],
    [200, '[{"id":"BTC-USD"}]', 'a product has no id, base_currency or quote_currency'],
    [200, '[null]', 'a product has no id, base_currency or quote_currency'],
  ])('status %i with %s fails, and says why', (status, body, why) => {
    expect(parseListing(status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    expectToReadAnyAnswer(parseListing);
  });
});

describe('backfill', () => {
  const backfill = coinbase.backfill as Backfill;
  const listing: Listing = { symbol: 'BTC-USD', canonicalSymbol: 'BTC/USD' };
  const range = { listing, firstId: 70n, afterTimeMs: 0 };

  test('asks for the trades up to the last that is missing, the newest first', () => {
    expect(backfill.requestUrl('https://rest', { ...range, lastId: 74n })).toBe(
      'https://rest/products/BTC-USD/trades?limit=1000&after=75',
    );
    expect(backfill.requestUrl('https://rest', { ...range, lastId: null })).toBe(
      'https://rest/products/BTC-USD/trades?limit=1000',
    );
    expect(backfill.direction).toBe('descending');
  });

  // https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades
  const elements = [
    '{"time":"2014-11-07T22:19:28.578544Z","trade_id":74,"price":"10.00000000","size":"0.01000000","side":"buy"}',
    '{ "time": "2014-11-07T01:08:43.64Z", "trade_id": 73, "price": "100.0", "size": "0.01", "side": "sell" }',
  ];

  test('gives each trade with its element of the answer, byte for byte', () => {
    const answer = backfill.parse(listing, 200, `[${elements.join(',\n ')}]`);
    const expected = { ...trade, sequenceNumber: null };
    const [sold, bought] = [
      { tradeId: '74', price: '10.00000000', quantity: '0.01000000', side: 'SELL', isBuyerMaker: true },
      { tradeId: '73', price: '100.0', quantity: '0.01', side: 'BUY', isBuyerMaker: false },
    ];
    expect(answer).toEqual({
      kind: 'trades',
      trades: [
        { trade: { ...expected, ...sold, exchangeTimeMs: Date.UTC(2014, 10, 7, 22, 19, 28, 578) }, text: elements[0] },
        { trade: { ...expected, ...bought, exchangeTimeMs: Date.UTC(2014, 10, 7, 1, 8, 43, 640) }, text: elements[1] },
      ],
    });
    for (const element of elements) expectConforms('coinbase', element);
  });

  test.each([
    [429, '{"message":"slow down"}', 'status 429: {"message":"slow down"}'],
    [200, '[', 'not JSON: ['],
    [200, '{"message":"NotFound"}', 'not a list of trades: {"message":"NotFound"}'],
    [200, '[1]', 'trade is not an object'],
    [200, '[{"trade_id":"1"}]', `trade's trade_id "1" is not an id`],
  ])('status %i with %s fails, and says why', (status, body, why) => {
    expect(backfill.parse(listing, status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    expectToReadAnyAnswer((status, body) => backfill.parse(listing, status, body));
  });
});
