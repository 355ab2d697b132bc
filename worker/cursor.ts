// Where to resume: what the normalized topic's own end holds of each symbol. Whatever else comes to keep cursors only
// has to give the same map.
import { Consumer } from '@platformatic/kafka';
import avsc from 'avsc';
import type { Cursor } from './continuity.ts';
import { partitionHash } from './producer/partition.ts';
import { headers, restBackfill } from './records.ts';

/** Read in any case: gaps in it were not repaired when the last worker ended. */
const tailRecordsMin = 5000;

/** Of one partition: how far back a quiet symbol's last trade is looked for beside busy ones. Some 40 MB, a second. */
const tailRecordsMax = 200_000;

const fetchBytesMax = 4 * 1024 * 1024;
const fetchWaitMs = 500;
const requestMsMax = 10_000;

/** Answers without a record: transaction markers and compaction leave holes, but no broker answers so for ever. */
const emptyFetchesMax = 20;

/** Before the Avro: a zero and the schema's id. */
const framingBytes = 5;

/** One trade that the topic holds. */
export interface WrittenTrade {
  id: bigint;
  exchangeTimeMs: number;
  isBackfilled: boolean;
}

export interface CursorOptions {
  bootstrapServers: string[];
  topic: string;
  /** Text of schemas/normalized-trade.avsc. */
  schema: string;
  symbols: string[];
}

/**
 * Where to resume, from the trades of one symbol at the topic's end. A hole between live ones is a gap: had it been
 * repaired, its trades would stand behind it.
 */
export function cursorOf(trades: readonly WrittenTrade[]): Cursor | undefined {
  const live = trades.filter(({ isBackfilled }) => !isBackfilled);
  const known = live.length > 0 ? live : trades;
  const least = known.map(({ id }) => id).sort((a, b) => (a < b ? -1 : 1))[0];
  if (least === undefined) return undefined;
  const inOrder = trades.filter(({ id }) => id >= least).sort((a, b) => (a.id < b.id ? -1 : 1));
  const gaps: Cursor['gaps'][number][] = [];
  let last = { id: least, exchangeTimeMs: 0 };
  for (const trade of inOrder) {
    const isHole = live.length > 0 && trade.id > last.id + 1n;
    if (isHole) gaps.push({ firstId: last.id + 1n, lastId: trade.id - 1n, afterTimeMs: last.exchangeTimeMs });
    last = trade;
  }
  const timeMs = trades.reduce((latest, { exchangeTimeMs }) => Math.max(latest, exchangeTimeMs), 0);
  return { lastId: last.id, timeMs, gaps, lost: [], resetTimeMs: null };
}

/**
 * Symbols of which the topic's end holds nothing are not in the map.
 * @throws Error when the broker cannot be read
 */
export async function readCursors(options: CursorOptions): Promise<Map<string, Cursor>> {
  const { bootstrapServers, topic } = options;
  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    clientId: 'k2-worker-cursor',
    // It reads partitions by itself and never joins a group.
    groupId: 'k2-worker-cursor',
    bootstrapBrokers: bootstrapServers,
    requestTimeout: requestMsMax,
    maxWaitTime: fetchWaitMs,
    retries: 3,
  });
  consumer.topics.track(topic);
  try {
    const tail = new Tail(options, consumer);
    return await tail.read();
  } finally {
    await consumer.close(true);
  }
}

class Tail {
  readonly #options: CursorOptions;
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>;
  readonly #type: avsc.Type;
  readonly #trades = new Map<string, WrittenTrade[]>();

  constructor(options: CursorOptions, consumer: Consumer<Buffer, Buffer, Buffer, Buffer>) {
    this.#options = options;
    this.#consumer = consumer;
    this.#type = avsc.Type.forSchema(JSON.parse(options.schema));
  }

  async read(): Promise<Map<string, Cursor>> {
    const { topic, symbols } = this.#options;
    const bounds = { topics: [topic], isolationLevel: 1 };
    const lows = (await this.#consumer.listOffsets({ ...bounds, timestamp: -2n })).get(topic) ?? [];
    const highs = (await this.#consumer.listOffsets({ ...bounds, timestamp: -1n })).get(topic) ?? [];
    for (const [partition, high] of highs.entries()) {
      const own = symbols.filter((symbol) => partitionHash(Buffer.from(symbol)) % highs.length === partition);
      if (own.length > 0) await this.#readPartition(partition, lows[partition] ?? 0n, high, own);
    }
    const cursors = new Map<string, Cursor>();
    for (const [symbol, trades] of this.#trades) {
      const cursor = cursorOf(trades);
      if (cursor) cursors.set(symbol, cursor);
    }
    return cursors;
  }

  /** Backwards, each time twice as far, until each symbol is found. */
  async #readPartition(partition: number, low: bigint, high: bigint, own: string[]): Promise<void> {
    let end = high;
    for (let back = tailRecordsMin; back <= tailRecordsMax && end > low; back *= 2) {
      const start = high - BigInt(back) > low ? high - BigInt(back) : low;
      await this.#readRange(partition, start, end, own);
      end = start;
      if (own.every((symbol) => this.#trades.has(symbol))) return;
    }
  }

  async #readRange(partition: number, start: bigint, end: bigint, own: string[]): Promise<void> {
    const { topic } = this.#options;
    const metadata = await this.#consumer.metadata({ topics: [topic] });
    const { id: topicId, partitions } = metadata.topics.get(topic) ?? {};
    const node = partitions?.[partition]?.leader;
    if (topicId === undefined || node === undefined) throw new Error(`topic ${topic} has no leader of ${partition}`);
    const position = { partition, currentLeaderEpoch: -1, lastFetchedEpoch: -1, partitionMaxBytes: fetchBytesMax };
    let empties = 0;
    for (let offset = start; offset < end; ) {
      const partitionsAsked = [{ ...position, fetchOffset: offset }];
      const response = await this.#consumer.fetch({
        node,
        topics: [{ topicId, partitions: partitionsAsked }],
        minBytes: 1,
        maxBytes: fetchBytesMax,
        maxWaitTime: fetchWaitMs,
        isolationLevel: 1,
      });
      const batches = response.responses.flatMap((answer) => answer.partitions.flatMap(({ records }) => records ?? []));
      if (batches.length === 0 && ++empties > emptyFetchesMax) {
        throw new Error(`topic ${topic} gives nothing at offset ${offset} of partition ${partition}`);
      }
      for (const batch of batches) {
        for (const record of batch.records) {
          const at = batch.firstOffset + BigInt(record.offsetDelta);
          if (at >= start && at >= offset && at < end) this.#keep(record, own);
        }
        offset = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      }
    }
  }

  #keep(
    record: { key: Buffer | null; value: Buffer | null; headers: [Buffer | null, Buffer | null][] },
    own: string[],
  ) {
    const symbol = String(record.key);
    if (record.value === null || !own.includes(symbol)) return;
    const value: { trade_id: string; exchange_timestamp: number } = this.#type.fromBuffer(
      record.value.subarray(framingBytes),
    );
    if (!/^\d+$/.test(value.trade_id)) return;
    const isBackfilled = record.headers.some(
      ([name, text]) => String(name) === headers.source && String(text) === restBackfill,
    );
    const trades = this.#trades.get(symbol) ?? [];
    trades.push({ id: BigInt(value.trade_id), exchangeTimeMs: Number(value.exchange_timestamp), isBackfilled });
    this.#trades.set(symbol, trades);
  }
}
