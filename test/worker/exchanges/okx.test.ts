import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { okx } from '../../../worker/exchanges/okx.ts';
import type { Trade } from '../../../worker/trade.ts';
import { expectToReadAnything } from './properties.ts';

const parse = (text: string) => okx.parse(Buffer.from(text));
const frameOf = (...trades: string[]) =>
  `{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[${trades.join(',')}]}`;

// https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-all-trades-channel
const documented =
  '{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306",' +
  '"side":"buy","source":"0","ts":"1630048897897"}';

const trade: Trade = {
  symbol: 'BTC-USDT',
  tradeId: '130639474',
  price: '42219.9',
  quantity: '0.12060306',
  side: 'BUY',
  exchangeTimeMs: 1630048897897,
  sequenceNumber: null,
  isBuyerMaker: false,
  buyerOrderId: null,
  sellerOrderId: null,
};

describe('a trade frame', () => {
  test('gives the trade, digits as sent', () => {
    expect(parse(frameOf(documented))).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('of a taker who sold was bought by the maker', () => {
    const expected = { ...trade, side: 'SELL', isBuyerMaker: true };
    expect(parse(frameOf(documented.replace('"buy"', '"sell"')))).toEqual({ kind: 'trades', trades: [expected] });
  });

  test('may hold several, in its order', () => {
    const next = documented.replace('130639474', '130639475');
    expect(parse(frameOf(next, documented))).toEqual({
      kind: 'trades',
      trades: [{ ...trade, tradeId: '130639475' }, trade],
    });
  });

  test('keeps trailing zeros, and an id beyond 2^53', () => {
    const sent = documented.replace('0.12060306', '0.1000').replace('130639474', '9007199254740993');
    const expected = { ...trade, quantity: '0.1000', tradeId: '9007199254740993' };
    expect(parse(frameOf(sent))).toEqual({ kind: 'trades', trades: [expected] });
  });

  const ofTrades = (more: string) =>
    parse(frameOf(documented.replace('}', `,${more}}`)).replace('trades-all', 'trades'));

  test('of the trades channel, which nobody asks for, is read with its sequence number', () => {
    const expected = { ...trade, sequenceNumber: 80559459948 };
    expect(ofTrades('"count":"1","seqId":80559459948')).toEqual({ kind: 'trades', trades: [expected] });
    expect(ofTrades('"count":"1","seqId":9007199254740993')).toEqual({ kind: 'trades', trades: [trade] });
  });

  test('of the trades channel that sums up several trades is none: REST gives the single ones', () => {
    expect(ofTrades('"count":"3"')).toEqual({ kind: 'unreadable', why: `trade's count "3" is not "1"` });
  });

  test.each([
    ['"instId":"BTC-USDT",', '', 'trade has no instId'],
    ['"tradeId":"130639474"', '"tradeId":130639474', "trade's tradeId 130639474 is not a whole number as text"],
    ['130639474', '-1', `trade's tradeId "-1" is not a whole number as text`],
    ['"42219.9"', '42219.9', "trade's px 42219.9 is not a decimal"],
    ['42219.9', '4e4', `trade's px "4e4" is not a decimal`],
    ['"0.12060306"', '{"toString":1}', `trade's sz {"toString":"1"} is not a decimal`],
    ['"buy"', '"BUY"', `trade's side "BUY" is not buy or sell`],
    ['"1630048897897"', '1630048897897', "trade's ts 1630048897897 is not a time in milliseconds as text"],
    [documented, '1', 'trade is not an object'],
    [`[${documented}]`, '""', 'data is not a list'],
  ])('with %s changed to %j is unreadable, and the reason says so', (from, to, why) => {
    const at = frameOf(documented).lastIndexOf(from);
    const text = frameOf(documented).slice(0, at) + frameOf(documented).slice(at).replace(from, to);
    expect(parse(text)).toEqual({ kind: 'unreadable', why });
  });
});

describe('other frames', () => {
  const missing =
    "Wrong URL or channel:trades-all,instId:NOPE-USDT doesn't exist. " +
    'Please use the correct URL, channel and parameters referring to API document.';
  const invalid =
    'Invalid request: {"op": "subscribe", "argss":[{ "channel" : "trades-all", "instId" : "BTC-USD-191227"}]}';
  const restart = 'The connection will soon be closed for a service upgrade. Please reconnect.';

  test.each([
    [
      'the acknowledgement of one symbol',
      '{"id":"1512","event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
      { kind: 'subscribed', requestId: '1512', symbols: ['BTC-USDT'] },
    ],
    [
      'an acknowledgement without the id',
      '{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
      { kind: 'subscribed', requestId: null, symbols: ['BTC-USDT'] },
    ],
    [
      'the refusal of a message',
      `{"id":"1512","event":"error","code":"60012","msg":${JSON.stringify(invalid)},"connId":"a4d3ae55"}`,
      {
        kind: 'rejected',
        requestId: '1512',
        symbols: null,
        why: `${invalid} (code 60012)`,
      },
    ],
    [
      'the refusal of one symbol',
      `{"id":"2","event":"error","msg":"${missing}","code":"60018","connId":"e1f69f02"}`,
      { kind: 'rejected', requestId: '2', symbols: ['NOPE-USDT'], why: `${missing} (code 60018)` },
    ],
    [
      'a refusal without a word',
      '{"event":"error","code":{"toString":1}}',
      { kind: 'rejected', requestId: null, symbols: null, why: 'no reason given (code none)' },
    ],
    [
      'the notice of a restart',
      `{"event":"notice","code":"64008","msg":"${restart}","connId":"a4d3ae55"}`,
      {
        kind: 'notice',
        why: `${restart} (code 64008)`,
      },
    ],
    ['the answer to a ping', 'pong', { kind: 'heartbeat' }],
    ['an event that nobody asked for', '{"event":"unsubscribe","arg":{}}', { kind: 'ignored', what: 'unsubscribe' }],
    [
      'a channel that nobody asked for',
      '{"arg":{"channel":"tickers"},"data":[]}',
      { kind: 'ignored', what: 'tickers' },
    ],
    ['a push of no trade', frameOf(), { kind: 'ignored', what: 'channel without a trade' }],
    ['an object of nothing', '{}', { kind: 'ignored', what: 'neither event nor channel' }],
    ['a ping, which no server sends', 'ping', { kind: 'unreadable', why: 'not JSON' }],
    ['an array', '[]', { kind: 'unreadable', why: 'not a JSON object' }],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test('a refusal that quotes a whole message gives the start of it', () => {
    const parsed = parse(JSON.stringify({ event: 'error', msg: 'x'.repeat(60_000), code: '60012' }));
    expect(parsed).toMatchObject({ why: `${'x'.repeat(200)} (code 60012)` });
  });

  test('anything gives a value, never an exception', () => {
    const texts = [frameOf(documented, documented), 'pong', `{"event":"error","msg":"${missing}","code":"60018"}`];
    expectToReadAnything(
      okx.parse,
      texts.map((text) => Buffer.from(text)),
    );
  });
});

describe('subscribe', () => {
  test('asks for every single trade', () => {
    expect(okx.subscribe(['BTC-USDT', 'ETH-USDT'], 3)).toEqual([
      {
        id: '3',
        text:
          '{"id":"3","op":"subscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"},' +
          '{"channel":"trades-all","instId":"ETH-USDT"}]}',
        symbols: ['BTC-USDT', 'ETH-USDT'],
      },
    ]);
  });

  test('any symbols are asked for once each, in order, in messages below 64 KB', () => {
    const symbol = fc.stringMatching(/^[A-Z0-9]{2,40}-[A-Z]{3,4}$/);
    fc.assert(
      fc.property(fc.uniqueArray(symbol, { maxLength: 3000, size: 'max' }), (symbols) => {
        const requests = okx.subscribe(symbols, 1);
        expect(requests.flatMap((request) => request.symbols)).toEqual(symbols);
        expect(requests.map(({ id }) => Number(id))).toEqual(requests.map((_, index) => index + 1));
        for (const { text } of requests) expect(Buffer.byteLength(text)).toBeLessThan(64_000);
      }),
      { numRuns: 10 },
    );
  });

  test('the symbols of one connection fit one message, however long their names are', () => {
    const symbols = Array.from(
      { length: okx.limits.symbolsPerConnection },
      (_, index) => `${'X'.repeat(40)}${index}-USDT`,
    );
    expect(okx.subscribe(symbols, 1).length).toBe(1);
  });

  test('goes to the address that has the channel', () => {
    expect(okx.connectUrl(okx.webSocketUrl)).toBe('wss://ws.okx.com:8443/ws/v5/business');
  });
});
