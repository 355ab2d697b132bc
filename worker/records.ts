// Frames and trades -> Kafka records: the raw one is the frame, byte for byte, the normalized one Avro in the
// registry's framing.
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

/** Many encoded trades share one allocation; about 600 fit. */
const slabBytes = 64 * 1024;

// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
/** A zero, and the schema's id as four bytes, big endian. */
const framingBytes = 5;

export class Records {
  readonly #options: RecordOptions;
  readonly #type: avsc.Type;
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#type = avsc.Type.forSchema(JSON.parse(options.schema));
  }

  /** @param key the symbol of the frame's first trade */
  raw({ frame, connectionId, receivedUs }: Received, key: string | null): ProducerRecord {
    return {
      topic: this.#options.topicRaw,
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

  /** The raw record of a frame from which no symbol could be read, hence without a key. */
  unreadable(received: Received, why: string): ProducerRecord {
    const record = this.raw(received, null);
    return { ...record, headers: [...record.headers, [headers.unreadable, why]] };
  }

  normalized(trade: Trade, canonicalSymbol: string, receivedUs: number): ProducerRecord {
    const timeMs = Math.floor(receivedUs / 1000);
    const value = this.#encode({
      schema_version: schemaVersion,
      exchange: this.#options.exchange,
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
    const { topicNormalized: topic } = this.#options;
    return { topic, key: trade.symbol, value, headers: [], timeMs, exchangeTimeMs: trade.exchangeTimeMs };
  }

  #encode(value: object): Buffer {
    const start = this.#used;
    const body = start + framingBytes;
    const end = body <= slabBytes ? this.#type.encode(value, this.#slab, body) : -1;
    if (end < 0) {
      // It does not fit. The full slab lives on for as long as the records that point into it.
      if (start === 0) throw new RangeError(`a trade needs more than ${slabBytes} bytes`);
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
      return this.#encode(value);
    }
    this.#slab[start] = 0;
    this.#slab.writeUInt32BE(this.#options.schemaId, start + 1);
    this.#used = end;
    return this.#slab.subarray(start, end);
  }
}
