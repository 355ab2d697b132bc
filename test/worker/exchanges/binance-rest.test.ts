import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binance } from '../../../worker/exchanges/binance.ts';
import type { BackfillAnswer } from '../../../worker/exchanges/exchange.ts';

const listing = { symbol: 'BTCUSDT', canonicalSymbol: 'BTC/USDT' };

function parse(status: number, body: string): BackfillAnswer {
  if (binance.backfill === null) throw new Error('there is no history');
  return binance.backfill.parse(listing, status, body);
}

// From the documentation's example: https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#old-trade-lookup
const element =
  '{ "id": 28457, "price": "4.00000100", "qty": "12.00000000", "quoteQty": "48.000012", "time": 1499865549590,' +
  ' "isBuyerMaker": true, "isBestMatch": true }';

describe('history', () => {
  test('is asked for from an id on', () => {
    const range = { listing, firstId: 28457n, lastId: 28459n, afterTimeMs: 0 };
    expect(binance.backfill?.requestUrl('http://rest', range)).toBe(
      'http://rest/api/v3/historicalTrades?symbol=BTCUSDT&limit=1000&fromId=28457',
    );
  });

  test("gives trades with the digits, and each one's text byte for byte", () => {
    const trade = {
      symbol: 'BTCUSDT',
      tradeId: '28457',
      price: '4.00000100',
      quantity: '12.00000000',
      side: 'SELL',
      exchangeTimeMs: 1499865549590,
      sequenceNumber: null,
      isBuyerMaker: true,
      buyerOrderId: null,
      sellerOrderId: null,
    };
    expect(parse(200, `[ ${element} ]`)).toEqual({ kind: 'trades', trades: [{ trade, text: element }] });
  });

  test('keeps ids beyond 2^53, and tells the taker who bought', () => {
    const body = `[${element.replace('28457', '9007199254740993').replace('true', 'false')}]`;
    expect(parse(200, body)).toMatchObject({ trades: [{ trade: { tradeId: '9007199254740993', side: 'BUY' } }] });
  });

  test.each([
    [400, '{"code":-1121,"msg":"Invalid symbol."}', 'status 400: {"code":-1121,"msg":"Invalid symbol."}'],
    [200, '{}', 'not a list of trades'],
    [200, '<html>', 'not JSON at character 1'],
    [200, '[{"id":"1"}]', 'not a trade: {"id":"1"}'],
    [200, `[${element.replace('"4.00000100"', '4.000001')}]`, 'not a trade: { "id": 28457, "price": 4.000001'],
  ])('that answers %s %s has failed', (status, body, why) => {
    expect(parse(status, body)).toEqual({ kind: 'failed', why: expect.stringContaining(why) });
  });

  test('whatever it answers gives a value', () => {
    const body = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(fc.constantFrom(200, 400, 500), body, (status, text) =>
        ['trades', 'failed'].includes(parse(status, text).kind),
      ),
    );
  });
});
