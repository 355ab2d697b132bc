import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Backfill, Listing } from '../../../worker/exchanges/exchange.ts';
import { kraken } from '../../../worker/exchanges/kraken.ts';

const listing: Listing = { symbol: 'BTC/USD', canonicalSymbol: 'BTC/USD', restSymbol: 'XBTUSD' };

describe('backfill', () => {
  const { requestUrl, parse: parseBackfill } = kraken.backfill as Backfill;

  // https://docs.kraken.com/api-reference/market-data/get-recent-trades
  const row = '[ "30243.40000" ,"0.34507674",1688669597.8277369,"b","m","",61044952]';
  const sold = '["30243.30000","0.00376960",1688669598.2804112,"s","l","",61044953]';
  const answerOf = (...rows: string[]) =>
    `{"error":[],"result":{"XXBTZUSD":[${rows.join(',\n')}],"last":"1688671969993150842"}}`;

  test.each([
    ['from just before the last known trade', 1688669597827, '1688669597826999999'],
    ['from the first trade on', 0, '0'],
  ])('asks %s', (_name, afterTimeMs, since) => {
    const range = { listing, firstId: 61044952n, lastId: null, afterTimeMs };
    const url = `https://api.kraken.com/0/public/Trades?pair=XBTUSD&since=${since}&count=1000`;
    expect(requestUrl('https://api.kraken.com', range)).toBe(url);
  });

  test('reads the documented answer, and keeps each row as it is written', () => {
    const first = {
      symbol: 'BTC/USD',
      tradeId: '61044952',
      price: '30243.40000',
      quantity: '0.34507674',
      side: 'BUY',
      exchangeTimeMs: 1688669597827,
      sequenceNumber: null,
      isBuyerMaker: false,
      buyerOrderId: null,
      sellerOrderId: null,
    };
    const own = { tradeId: '61044953', price: '30243.30000', quantity: '0.00376960', exchangeTimeMs: 1688669598280 };
    const second = { ...first, ...own, side: 'SELL', isBuyerMaker: true };
    const trades = [
      { trade: first, text: row },
      { trade: second, text: sold },
    ];
    expect(parseBackfill(listing, 200, answerOf(row, sold))).toEqual({ kind: 'trades', trades });
  });

  test('reads an answer without trades', () => {
    expect(parseBackfill(listing, 200, answerOf())).toEqual({ kind: 'trades', trades: [] });
  });

  test.each([
    [200, '{"error":["EGeneral:Too many requests"]}', 'status 200: "EGeneral:Too many requests"'],
    [200, '{"error":[{"toString":1}]}', 'status 200: {"toString":"1"}'],
    [429, '{"error":[],"result":{}}', 'status 429: {"error":[],"result":{}}'],
    [502, '<html>', 'status 502, not JSON: <html>'],
    [200, '[]', 'result is not an object: []'],
    [200, '{"error":[],"result":{"last":"1"}}', 'result has not one list of trades'],
    [200, '{"error":[],"result":{"A":[],"B":[]}}', 'result has not one list of trades'],
    [200, answerOf('{}'), 'trade is not a list'],
    [200, answerOf(row.replace(',61044952', '')), 'trade has no id'],
    [
      200,
      answerOf(row.replace('1688669597.8277369', '"1688669597.8277369"')),
      `trade's time "1688669597.8277369" is not a number of seconds`,
    ],
    [200, answerOf(row.replace('"30243.40000"', '30243.4')), "trade's price 30243.4 is not a decimal"],
    [200, answerOf(row.replace('"0.34507674"', 'null')), "trade's volume null is not a decimal"],
    [200, answerOf(row.replace('"b"', '"buy"')), `trade's side "buy" is not b or s`],
  ])('with status %i and %s fails, and says why', (status, body, why) => {
    expect(parseBackfill(listing, status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => answerOf(json)),
    );
    fc.assert(
      fc.property(fc.constantFrom(200, 429), body, (status, text) => {
        return typeof parseBackfill(listing, status, text).kind === 'string';
      }),
    );
  });
});

describe('listing', () => {
  const { parse: parseListing, requestUrl } = kraken.listing;

  test('asks for all pairs at once', () => {
    expect(requestUrl('https://api.kraken.com', ['BTC/USD'])).toBe('https://api.kraken.com/0/public/AssetPairs');
  });

  const pairs = (text: string) => `{"error":[],"result":{${text}}}`;

  test.each([
    ['XBT/USD', 'XBTUSD', 'BTC/USD'],
    ['XDG/XBT', 'XDGXBT', 'DOGE/BTC'],
    ['ETH/XBT', 'ETHXBT', 'ETH/BTC'],
    ['ZEUS/EUR', 'ZEUSEUR', 'ZEUS/EUR'],
  ])('names the pair %s (%s in REST) %s', (wsname, restSymbol, symbol) => {
    const expected = { kind: 'listed', listings: [{ symbol, canonicalSymbol: symbol, restSymbol }] };
    expect(parseListing(200, pairs(`"X":{"altname":"${restSymbol}","wsname":"${wsname}"}`))).toEqual(expected);
  });

  test('leaves out dark pools, which have no name in streams', () => {
    expect(parseListing(200, pairs('"XBTUSD.d":{"altname":"XBTUSD.d"}'))).toEqual({ kind: 'listed', listings: [] });
  });

  test.each([
    [200, '{"error":["EService:Unavailable"]}', 'status 200: "EService:Unavailable"'],
    [200, pairs('"X":{"altname":"X","wsname":"XBT"}'), 'pair X has no wsname of base and quote, or no altname'],
    [200, pairs('"X":{"wsname":"XBT/USD"}'), 'pair X has no wsname of base and quote, or no altname'],
    [403, '<html>', 'status 403, not JSON: <html>'],
  ])('with status %i and %s fails, and says why', (status, body, why) => {
    expect(parseListing(status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => pairs(`"X":${json}`)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(200, 429),
        body,
        (status, text) => typeof parseListing(status, text).kind === 'string',
      ),
    );
  });
});
