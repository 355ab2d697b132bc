import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Backfill, Listing } from '../../../worker/exchanges/exchange.ts';
import { okx } from '../../../worker/exchanges/okx.ts';

const listing: Listing = { symbol: 'BTC-USDT', canonicalSymbol: 'BTC/USDT' };

describe('backfill', () => {
  const { requestUrl, parse: parseBackfill } = okx.backfill as Backfill;
  const address = 'https://www.okx.com/api/v5/market/history-trades?instId=BTC-USDT&type=1&limit=100';
  const answerOf = (...trades: string[]) => `{"code":"0","msg":"","data":[${trades.join(' ,\n')}]}`;
  // https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history
  const newer =
    '{\n"instId": "BTC-USDT", "side": "sell", "sz": "0.00001", "source": "0", "px": "29963.2",' +
    ' "tradeId": "242720720", "ts": "1654161646974"}';
  const older = newer
    .replace('29963.2', '29964.1')
    .replace('242720720', '242720719')
    .replace('1654161646974', '1654161641568');

  const first = {
    symbol: 'BTC-USDT',
    tradeId: '242720720',
    price: '29963.2',
    quantity: '0.00001',
    side: 'SELL',
    exchangeTimeMs: 1654161646974,
    sequenceNumber: null,
    isBuyerMaker: true,
    buyerOrderId: null,
    sellerOrderId: null,
  };

  test.each([
    ['up to now, with the newest trades', null, address],
    ['up to an id, with that id among the trades', 242720720n, `${address}&after=242720721`],
  ])('asks %s', (_name, lastId, url) => {
    expect(requestUrl('https://www.okx.com', { listing, firstId: 1n, lastId, afterTimeMs: 0 })).toBe(url);
  });

  test('reads the documented answer, and keeps each trade as it is written', () => {
    const second = { ...first, tradeId: '242720719', price: '29964.1', exchangeTimeMs: 1654161641568 };
    const trades = [
      { trade: first, text: newer },
      { trade: second, text: older },
    ];
    expect(parseBackfill(listing, 200, answerOf(newer, older))).toEqual({ kind: 'trades', trades });
  });

  test('reads an answer without trades', () => {
    expect(parseBackfill(listing, 200, answerOf())).toEqual({ kind: 'trades', trades: [] });
  });

  test.each([
    [429, '{"msg":"Too Many Requests","code":"50011"}', 'status 429: Too Many Requests (code 50011)'],
    [
      200,
      '{"code":"51001","msg":"Instrument ID does not exist","data":[]}',
      'status 200: Instrument ID does not exist (code 51001)',
    ],
    [200, '{"code":{"toString":1}}', 'status 200: no reason given (code none)'],
    [502, '<html>', 'status 502, not JSON: <html>'],
    [200, '{"code":"0","data":{}}', 'data is not a list: {"code":"0","data":{}}'],
    [200, answerOf('[]'), 'trade is not an object'],
    [200, answerOf(newer.replace('BTC-USDT', 'ETH-USDT')), 'trade of ETH-USDT, not BTC-USDT'],
    [200, answerOf(newer.replace('"29963.2"', '29963.2')), "trade's px 29963.2 is not a decimal"],
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
  const { parse: parseListing, requestUrl } = okx.listing;
  const answerOf = (instrument: string) => `{"code":"0","msg":"","data":[${instrument}]}`;

  test('asks for all spot instruments at once', () => {
    const url = 'https://www.okx.com/api/v5/public/instruments?instType=SPOT';
    expect(requestUrl('https://www.okx.com', ['BTC-USDT'])).toBe(url);
  });

  test('takes the assets from the fields that name them', () => {
    const body = answerOf('{"instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT"}');
    expect(parseListing(200, body)).toEqual({ kind: 'listed', listings: [listing] });
  });

  test.each([
    [
      200,
      '{"code":"50001","msg":"Service temporarily unavailable"}',
      'status 200: Service temporarily unavailable (code 50001)',
    ],
    [200, answerOf('{"instId":"BTC-USDT"}'), 'an instrument has no instId, baseCcy or quoteCcy: {"instId":"BTC-USDT"}'],
    [503, '', 'status 503, not JSON: '],
  ])('with status %i and %s fails, and says why', (status, body, why) => {
    expect(parseListing(status, body)).toEqual({ kind: 'failed', why });
  });

  test('any answer gives a value, never an exception', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => answerOf(json)),
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
