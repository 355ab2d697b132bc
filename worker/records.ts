// Frames and trades -> Kafka records: the raw one is the frame, byte for byte, the normalized one Avro in the
// registry's framing.
import type { ProducerRecord } from './producer/producer.ts';
import type { Trade } from './trade.ts';
import { TradeEncoder } from './trade-encoder.ts';

export { framingBytes } from './trade-encoder.ts';

export const headers = {
  /** Which connection a frame came by; unique per connection of all workers. */
  connection: 'k2-connection',
  /** When it was received, microseconds since 1970. */
  receivedUs: 'k2-received-us',
  /** Why a frame could not be read; only on frames that hold no readable trade. */
  unreadable: 'k2-unreadable',
  /** Where a trade comes from, if not from the stream: `restBackfill`. */
  source: 'k2-source',
} as const;

export const restBackfill = 'rest-backfill';

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
  /** Absent: the raw topic's name and `.dlq`. */
  topicDeadLetter?: string;
  /** Text of schemas/normalized-trade.avsc, and the registry's id of it. */
  schema: string;
  schemaId: number;
}

export class Records {
  readonly #options: RecordOptions;
  readonly #encoder: TradeEncoder;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#encoder = new TradeEncoder(options);
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

  /** The same bytes and reason once more, where only such frames are. */
  deadLetter(received: Received, why: string): ProducerRecord {
    const { topicRaw, topicDeadLetter } = this.#options;
    return { ...this.unreadable(received, why), topic: topicDeadLetter ?? `${topicRaw}.dlq` };
  }

  /**
   * Both records of a trade that REST gave, the raw one first.
   * @param text the trade's element of the answer, as it came
   */
  backfilled(trade: Trade, text: string, canonicalSymbol: string, receivedUs: number): ProducerRecord[] {
    const source = [headers.source, restBackfill] as const;
    const received = [headers.receivedUs, String(receivedUs)] as const;
    const normalized = this.normalized(trade, canonicalSymbol, receivedUs);
    const raw = { topic: this.#options.topicRaw, value: Buffer.from(text), headers: [source, received] };
    return [
      { ...normalized, ...raw, exchangeTimeMs: null },
      { ...normalized, headers: [source] },
    ];
  }

  normalized(trade: Trade, canonicalSymbol: string, receivedUs: number): ProducerRecord {
    const timeMs = Math.floor(receivedUs / 1000);
    const value = this.#encoder.encode(trade, canonicalSymbol, timeMs);
    const { topicNormalized: topic } = this.#options;
    return { topic, key: trade.symbol, value, headers: [], timeMs, exchangeTimeMs: trade.exchangeTimeMs };
  }
}
