import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import { Records } from '../../worker/records.ts';
import type { Trade } from '../../worker/trade.ts';
import { tradeFrame } from './loopback-exchange.ts';

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const options = { exchange: 'binance', topicRaw: 'raw', topicNormalized: 'normalized', schema, schemaId: 0x01020304 };

const trade: Trade = {
  symbol: 'BTCUSDT',
  tradeId: '3735683259',
  price: '61837.63000000',
  quantity: '0.02000000',
  side: 'SELL',
  exchangeTimeMs: 1723161255342,
  sequenceNumber: null,
  isBuyerMaker: true,
  buyerOrderId: 5,
  sellerOrderId: null,
};
const receivedUs = 1723161255350123;
const received = { frame: Buffer.from(tradeFrame(1)), connectionId: 'c-1', receivedUs };

describe('the raw record', () => {
  const records = new Records(options);

  test('is the frame itself, keyed by symbol, with the connection and the received time', () => {
    const record = records.raw(received, 'BTCUSDT');
    expect(record.value).toBe(received.frame);
    expect(record).toMatchObject({ topic: 'raw', key: 'BTCUSDT', timeMs: 1723161255350, exchangeTimeMs: null });
    expect(record.headers).toEqual([
      ['k2-connection', 'c-1'],
      ['k2-received-us', '1723161255350123'],
    ]);
  });

  test('of an unreadable frame has no key, and the reason as a header', () => {
    const record = records.unreadable(received, 'not JSON');
    expect(record.value).toBe(received.frame);
    expect(record).toMatchObject({ topic: 'raw', key: null });
    expect(record.headers.at(-1)).toEqual(['k2-unreadable', 'not JSON']);
  });
});

describe('a frame that cannot be read', () => {
  test('is a dead letter with the same bytes, reason and headers, in a topic named after the raw one', () => {
    const { topic: rawTopic, ...raw } = new Records(options).unreadable(received, 'not JSON');
    const { topic, ...letter } = new Records(options).deadLetter(received, 'not JSON');
    expect(letter).toEqual(raw);
    expect([rawTopic, topic]).toEqual(['raw', 'raw.dlq']);
    expect(new Records({ ...options, topicDeadLetter: 'dead' }).deadLetter(received, 'x').topic).toBe('dead');
  });
});

describe('a back-filled trade', () => {
  test("is REST's own text in raw and a trade like any other in normalized, both marked", () => {
    const text = '{"id": 3735683259, "price": "61837.63000000"}';
    const [raw, normalized] = new Records(options).backfilled(trade, text, 'BTC/USDT', receivedUs);
    const live = new Records(options).normalized(trade, 'BTC/USDT', receivedUs);
    expect(normalized).toEqual({ ...live, headers: [['k2-source', 'rest-backfill']] });
    expect(raw).toEqual({
      topic: 'raw',
      key: 'BTCUSDT',
      value: Buffer.from(text),
      headers: [
        ['k2-source', 'rest-backfill'],
        ['k2-received-us', '1723161255350123'],
      ],
      timeMs: 1723161255350,
      exchangeTimeMs: null,
    });
  });
});

describe('the normalized record', () => {
  test('has the framing of the registry and the twelve fields', () => {
    const record = new Records(options).normalized(trade, 'BTC/USDT', receivedUs);
    expect(record).toMatchObject({ topic: 'normalized', key: 'BTCUSDT', timeMs: 1723161255350 });
    expect(record.value.subarray(0, 5)).toEqual(Buffer.from([0, 1, 2, 3, 4]));
    expect(type.fromBuffer(record.value.subarray(5))).toEqual({
      schema_version: '1.0.0',
      exchange: 'binance',
      symbol: 'BTCUSDT',
      canonical_symbol: 'BTC/USDT',
      trade_id: '3735683259',
      price: '61837.63000000',
      quantity: '0.02000000',
      quote_volume: '1236.7526000000000000',
      side: 'SELL',
      timestamp: 1723161255350,
      exchange_timestamp: 1723161255342,
      metadata: { sequence_number: null, is_buyer_maker: true, buyer_order_id: 5, seller_order_id: null },
    });
  });

  test('stays as it is while thousands are made after it', () => {
    const many = new Records(options);
    const made = Array.from({ length: 3000 }, (_, index) =>
      many.normalized({ ...trade, tradeId: String(index) }, 'BTC/USDT', receivedUs),
    );
    made.forEach(({ value }, index) => {
      expect(value.readUInt32BE(1)).toBe(options.schemaId);
      expect(type.fromBuffer(value.subarray(5))).toMatchObject({
        trade_id: String(index),
        quote_volume: '1236.7526000000000000',
      });
    });
  });
});

describe('the schema of normalized trades', () => {
  const fields: { name: string; doc?: string; type: unknown }[] = JSON.parse(schema).fields;

  test('has twelve fields, each documented', () => {
    expect(fields.length).toBe(12);
    expect(fields.filter(({ doc }) => !doc)).toEqual([]);
  });

  test('has its logical types inside the type, where readers look for them', () => {
    const times = fields.filter(({ name }) => name.endsWith('timestamp')).map((field) => field.type);
    const time = { type: 'long', logicalType: 'timestamp-millis' };
    expect(times).toEqual([time, time]);
  });
});
