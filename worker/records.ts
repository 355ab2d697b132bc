// Frames and trades -> Kafka records: the raw record is the frame byte for byte, the normalized one Avro in the registry's framing.
import avsc from 'avsc';
import { multiplyDecimals } from './decimal.ts';
import type { ProducerRecord } from './producer/producer.ts';
import type { Trade } from './trade.ts';

export const schemaVersion = '1.0.0';

export const headers = {
  /** Which connection a frame came by; unique per connection of all workers. */
  connection: 'k2-connection',
  /** When it was received, microseconds since 1970. */
  receivedUs: 'k2-received-us',
  /** Why a frame could not be read; only on frames that hold no readable trade. */
  unreadable: 'k2-unreadable',
} as const;

/** One frame as received. */
export interface Received {
  frame: Buffer;
  connectionId: string;
  /** Microseconds since 1970. */
  receivedUs: number;
}

export interface RecordOptions {
  exchange: string;
  topicRaw: string;
  topicNormalized: string;
  /** Text of schemas/normalized-trade.avsc, and the registry's id of it. */
  schema: string;
  schemaId: number;
}

export interface Records {
  /** @param key the symbol of the frame's first trade */
  raw(received: Received, key: string): ProducerRecord;
  unreadable(received: Received, why: string): ProducerRecord;
  normalized(trade: Trade, canonicalSymbol: string, receivedUs: number): ProducerRecord;
}

/** Many encoded trades share one allocation; about 600 fit. */
const slabBytes = 64 * 1024;

/** Magic byte 0 and the schema's id, big endian: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format */
const framingBytes = 5;

export function createRecords(options: RecordOptions): Records {
  const { exchange, topicRaw, topicNormalized } = options;
  const type = avsc.Type.forSchema(JSON.parse(options.schema));
  let slab = Buffer.allocUnsafeSlow(slabBytes);
  let at = 0;

  function encode(value: object): Buffer {
    const start = at;
    slab[start] = 0;
    const end = start + framingBytes <= slabBytes ? type.encode(value, slab, start + framingBytes) : -1;
    if (end < 0) {
      // A negative end: it does not fit. What was written stays with the records that point into it.
      if (start === 0) throw new Error(`a trade needs more than ${slabBytes} bytes`);
      slab = Buffer.allocUnsafeSlow(slabBytes);
      at = 0;
      return encode(value);
    }
    slab.writeUInt32BE(options.schemaId, start + 1);
    at = end;
    return slab.subarray(start, end);
  }

  function rawRecord({ frame, connectionId, receivedUs }: Received, key: string | null): ProducerRecord {
    return {
      topic: topicRaw,
      key,
      value: frame,
      headers: [
        [headers.connection, connectionId],
        [headers.receivedUs, String(receivedUs)],
      ],
      timeMs: Math.floor(receivedUs / 1000),
      exchangeTimeMs: null,
    };
  }

  return {
    raw: rawRecord,
    unreadable(received, why) {
      const record = rawRecord(received, null);
      return { ...record, headers: [...record.headers, [headers.unreadable, why]] };
    },
    normalized(trade, canonicalSymbol, receivedUs) {
      const timeMs = Math.floor(receivedUs / 1000);
      const value = encode({
        schema_version: schemaVersion,
        exchange,
        symbol: trade.symbol,
        canonical_symbol: canonicalSymbol,
        trade_id: trade.tradeId,
        price: trade.price,
        quantity: trade.quantity,
        quote_volume: multiplyDecimals(trade.price, trade.quantity),
        side: trade.side,
        timestamp: timeMs,
        exchange_timestamp: trade.exchangeTimeMs,
        metadata: {
          sequence_number: trade.sequenceNumber,
          is_buyer_maker: trade.isBuyerMaker,
          buyer_order_id: trade.buyerOrderId,
          seller_order_id: trade.sellerOrderId,
        },
      });
      return {
        topic: topicNormalized,
        key: trade.symbol,
        value,
        headers: [],
        timeMs,
        exchangeTimeMs: trade.exchangeTimeMs,
      };
    },
  };
}
