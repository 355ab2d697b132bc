import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kraken } from '../../../worker/exchanges/kraken.ts';
import type { Trade } from '../../../worker/trade.ts';
import { expectToReadAnything } from './properties.ts';

const parse = (text: string) => kraken.parse(Buffer.from(text));
const frameOf = (...trades: string[]) => `{"channel":"trade","type":"update","data":[${trades.join(',')}]}`;

// https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/trade
const documented =
  '{"symbol":"MATIC/USD","side":"sell","price":0.5117,"qty":40.0,"ord_type":"market",' +
  '"trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}';

const trade: Trade = {
  symbol: 'MATIC/USD',
  tradeId: '4665906',
  price: '0.5117',
  quantity: '40.0',
  side: 'SELL',
  exchangeTimeMs: Date.UTC(2023, 8, 25, 7, 49, 37, 708),
  sequenceNumber: null,
  isBuyerMaker: true,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a trade frame', () => {
  test('gives the trade, digits as sent', () => {
    expect(parse(frameOf(documented))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('gives all its trades in its order, the taker who bought among them', () => {
    const bought = documented.replace('"sell"', '"buy"').replace('4665906', '4665907');
    const expected = { ...trade, tradeId: '4665907', side: 'BUY', isBuyerMaker: false };
    expect(parse(frameOf(bought, documented))).toEqual({ kind: 'trades', trades: [expected, trade] });
  });

  test('of past trades, a snapshot, gives them like any', () => {
    const snapshot = frameOf(documented).replace('"update"', '"snapshot"');
    expect(parse(snapshot)).toEqual({ kind: 'trades', trades: [trade] });
  });

  test.each([
    ['price', '0.5117', '2668.00'],
    ['price', '0.5117', '12345678901234567890.10'],
    ['quantity', '40.0', '0.00000041'],
    ['quantity', '40.0', '0.00040000'],
    ['tradeId', '4665906', '11315962367609298897'.slice(0, 19)],
  ])('with a %s of %s changed to %s keeps each digit', (field, sent, digits) => {
    const expected = { kind: 'trades', trades: [{ ...trade, [field]: digits }] };
    expect(parse(frameOf(documented.replace(sent, digits)))).toEqual(expected);
  });

  test.each([
    ['"symbol":"MATIC/USD",', '', 'trade has no symbol'],
    ['"MATIC/USD"', '""', `trade's symbol "" is not a symbol`],
    ['4665906', '"4665906"', `trade's trade_id "4665906" is not a whole number`],
    ['4665906', '1.5', "trade's trade_id 1.5 is not a whole number"],
    ['0.5117', '"0.5117"', `trade's price "0.5117" is not a bare decimal number`],
    ['0.5117', '5.117e-1', "trade's price 5.117e-1 is not a bare decimal number"],
    ['40.0', '-40.0', "trade's qty -40.0 is not a bare decimal number"],
    ['"sell"', '"b"', `trade's side "b" is not buy or sell`],
    ['37.708706Z', '60', `trade's timestamp "2023-09-25T07:49:60" is not a time as in RFC 3339`],
    [documented, '[]', 'trade is not an object'],
    [`[${documented}]`, '{}', 'data is not a list'],
  ])('with %s changed to %j is unreadable, and the reason says so', (from, to, why) => {
    expect(parse(frameOf(documented).replace(from, to))).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  const result = '{"channel":"trade","snapshot":true,"symbol":"MATIC/USD","warnings":["soon"]}';
  const times = '"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"';

  test.each([
    [
      'the acknowledgement of one symbol',
      `{"method":"subscribe","req_id":3,"result":${result},"success":true,${times}}`,
      { kind: 'subscribed', requestId: '3', symbols: ['MATIC/USD'] },
    ],
    [
      'the acknowledgement of a request without an id',
      `{"method":"subscribe","result":${result},"success":true,${times}}`,
      { kind: 'subscribed', requestId: null, symbols: ['MATIC/USD'] },
    ],
    [
      'the refusal of one symbol',
      `{"error":"Not supported XBT/USD","method":"subscribe","req_id":4,"success":false,"symbol":"XBT/USD",${times}}`,
      { kind: 'rejected', requestId: '4', symbols: ['XBT/USD'], why: 'Not supported XBT/USD' },
    ],
    [
      'a refusal without a symbol',
      `{"error":"Malformed request","method":"subscribe","result":null,"success":false,${times}}`,
      { kind: 'rejected', requestId: null, symbols: null, why: 'Malformed request' },
    ],
    [
      'a refusal without a word',
      '{"success":false}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'no reason given' },
    ],
    [
      'too many messages',
      '{"Error":"Exceeded msg rate"}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'Exceeded msg rate' },
    ],
    ['a heartbeat', '{"channel":"heartbeat"}', { kind: 'heartbeat' }],
    ['the answer to a ping', `{"method":"pong","req_id":101,${times}}`, { kind: 'heartbeat' }],
    [
      'a status, which ends nothing',
      '{"channel":"status","data":[{"connection_id":18125794198776064634,"system":"maintenance"}],"type":"update"}',
      { kind: 'ignored', what: 'status' },
    ],
    [
      'a channel that was not asked for',
      '{"channel":"ticker","type":"snapshot","data":[]}',
      { kind: 'ignored', what: 'ticker' },
    ],
    [
      'a snapshot of no trade',
      '{"channel":"trade","type":"snapshot","data":[]}',
      { kind: 'ignored', what: 'trade channel without a trade' },
    ],
    ['the end of a subscription', '{"method":"unsubscribe","success":true}', { kind: 'ignored', what: 'unsubscribe' }],
    ['an object of nothing', '{}', { kind: 'ignored', what: 'no channel' }],
    ['no JSON', '{"channel":', { kind: 'unreadable', why: 'not JSON' }],
    ['an array', '[119930881,[],"trade","XBT/USD"]', { kind: 'unreadable', why: 'not a JSON object' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('anything gives a value, never an exception', () => {
    expectToReadAnything(
      kraken.parse,
      [frameOf(documented, documented), '{"Error":"x"}'].map((text) => Buffer.from(text)),
    );
  });
});

describe('subscribe', () => {
  test('asks for the trades and the past ones', () => {
    expect(kraken.subscribe(['BTC/USD', 'DOGE/USD'], 3)).toEqual([
      {
        id: '3',
        text:
          '{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","DOGE/USD"],"snapshot":true},' +
          '"req_id":3}',
        symbols: ['BTC/USD', 'DOGE/USD'],
      },
    ]);
  });

  test('any symbols are asked for once each, in order, at most 20 in a message', () => {
    const symbol = fc.stringMatching(/^[A-Z0-9]{2,10}\/[A-Z]{3,4}$/);
    fc.assert(
      fc.property(fc.uniqueArray(symbol, { maxLength: 100 }), fc.integer({ min: 1 }), (symbols, firstId) => {
        const requests = kraken.subscribe(symbols, firstId);
        expect(requests.flatMap((request) => request.symbols)).toEqual(symbols);
        expect(requests.map(({ id }) => Number(id))).toEqual(requests.map((_, index) => firstId + index));
        for (const request of requests) {
          expect(request.symbols.length).toBeLessThanOrEqual(20);
          expect(JSON.parse(request.text).params.symbol).toEqual(request.symbols);
        }
      }),
      { numRuns: 20 },
    );
  });
});
