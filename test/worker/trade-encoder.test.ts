import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { multiplyDecimals } from '../../worker/decimal.ts';
import type { Trade } from '../../worker/trade.ts';
import { framingBytes, TradeEncoder } from '../../worker/trade-encoder.ts';

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const exchange = 'binance';
const schemaId = 0x01020304;

const text = fc.oneof(fc.stringMatching(/^[A-Z0-9]{1,12}$/), fc.string({ unit: 'grapheme', maxLength: 100 }));
const decimal = fc.stringMatching(/^\d{1,20}(\.\d{1,18})?$/);
// The general encoder takes numbers below 2^53 - 1.
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });

const trade: fc.Arbitrary<Trade> = fc.record({
  symbol: text,
  tradeId: text,
  price: decimal,
  quantity: decimal,
  side: fc.constantFrom('BUY', 'SELL'),
  exchangeTimeMs: count,
  sequenceNumber: fc.option(count),
  isBuyerMaker: fc.option(fc.boolean()),
  buyerOrderId: fc.option(count),
  sellerOrderId: fc.option(count),
});

/** What the general encoder makes of the same trade. */
function general(trade: Trade, canonicalSymbol: string, timestamp: number): Buffer {
  return type.toBuffer({
    schema_version: '1.0.0',
    exchange,
    symbol: trade.symbol,
    canonical_symbol: canonicalSymbol,
    trade_id: trade.tradeId,
    price: trade.price,
    quantity: trade.quantity,
    quote_volume: multiplyDecimals(trade.price, trade.quantity),
    side: trade.side,
    timestamp,
    exchange_timestamp: trade.exchangeTimeMs,
    metadata: {
      sequence_number: trade.sequenceNumber,
      is_buyer_maker: trade.isBuyerMaker,
      buyer_order_id: trade.buyerOrderId,
      seller_order_id: trade.sellerOrderId,
    },
  });
}

describe('an encoded trade', () => {
  test('is the framing, then byte for byte what a general encoder writes', () => {
    const encoder = new TradeEncoder({ exchange, schema, schemaId });
    fc.assert(
      fc.property(trade, text, count, (made, canonicalSymbol, timeMs) => {
        const bytes = encoder.encode(made, canonicalSymbol, timeMs);
        expect(bytes.subarray(0, framingBytes)).toEqual(Buffer.from([0, 1, 2, 3, 4]));
        expect(bytes.subarray(framingBytes)).toEqual(general(made, canonicalSymbol, timeMs));
      }),
      { numRuns: 1000 },
    );
  });

  test('has the canonical symbol of now, when the exchange has renamed it', () => {
    const encoder = new TradeEncoder({ exchange, schema, schemaId });
    const [made] = fc.sample(trade, 1);
    if (made === undefined) throw new Error('no trade');
    for (const canonicalSymbol of ['BCC/USDT', 'BCH/USDT']) {
      const bytes = encoder.encode(made, canonicalSymbol, 1);
      expect(bytes.subarray(framingBytes)).toEqual(general(made, canonicalSymbol, 1));
    }
  });

  test('of texts that no exchange sends is refused', () => {
    const encoder = new TradeEncoder({ exchange, schema, schemaId });
    const [made] = fc.sample(trade, 1);
    if (made === undefined) throw new Error('no trade');
    expect(() => encoder.encode({ ...made, tradeId: 'x'.repeat(65_536) }, 'A/B', 1)).toThrow(
      /a trade may need \d+ bytes/,
    );
  });
});

test('another schema than the one it is written for is refused', () => {
  const other = JSON.stringify({ ...JSON.parse(schema), fields: JSON.parse(schema).fields.slice(1) });
  expect(() => new TradeEncoder({ exchange, schema: other, schemaId })).toThrow(
    /^the schema of normalized trades has fingerprint [0-9a-f]{32}; needed is [0-9a-f]{32}$/,
  );
});
