// Where to resume where the cursor topic does not say it: what the normalized topic's own end holds of each symbol.
import avsc from 'avsc';
import { CommittedFilter, type CommittedRecord, PartitionReader } from './committed.ts';
import { type Cursor, type RecentTrades, recentTradesOf } from './continuity.ts';
import type { ClientOptions } from './producer/client.ts';
import { partitionHash } from './producer/partition.ts';
import { headers, restBackfill } from './records.ts';

/** Read in any case: gaps in it were not repaired when the last worker ended. */
const tailRecordsMin = 5000;

/** Of one partition: how far back a quiet symbol's last trade is looked for beside busy ones. Some 60 MB, seconds. */
const tailRecordsMax = 320_000;

/** Symbols of one partition follow each other's exchange times by no more. */
const skewMsMax = 10_000;

const fetchWaitMs = 500;

/** Answers without a record before the end: a broker that is held up gives some, but not for ever. */
const emptyFetchesMax = 20;

/** Before the Avro: a zero and the schema's id. */
const framingBytes = 5;

/** One trade that the topic holds. */
export interface WrittenTrade {
  id: bigint;
  exchangeTimeMs: number;
  isBackfilled: boolean;
}

export interface CursorOptions extends Omit<ClientOptions, 'clientId'> {
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
  const cursors = new Map<string, Cursor>();
  const isEnough = ({ trades }: Range, own: string[]) => own.every((symbol) => trades.has(symbol));
  for (const [symbol, trades] of await readTail(options, isEnough)) {
    const numbered = trades.filter(({ tradeId }) => /^\d+$/.test(tradeId));
    const cursor = cursorOf(numbered.map(({ tradeId, ...trade }) => ({ ...trade, id: BigInt(tradeId) })));
    if (cursor) cursors.set(symbol, cursor);
  }
  return cursors;
}

/**
 * For ids that prove nothing: the newest trades of each symbol.
 * @param sinceMs exchange time of the oldest trade that may be written again, milliseconds since 1970
 * @throws Error when the broker cannot be read
 */
export async function readRecentTrades(options: CursorOptions, sinceMs: number): Promise<Map<string, RecentTrades>> {
  const tail = await readTail(options, ({ firstTimeMs }) => firstTimeMs !== null && firstTimeMs < sinceMs - skewMsMax);
  return new Map([...tail].map(([symbol, trades]) => [symbol, recentTradesOf(trades)]));
}

interface TailTrade {
  tradeId: string;
  exchangeTimeMs: number;
  isBackfilled: boolean;
}

type TradesBySymbol = Map<string, TailTrade[]>;

/** A partition's records from some offset to its end. */
interface Range {
  trades: TradesBySymbol;
  /** Exchange time of its first record, of whichever symbol. */
  firstTimeMs: number | null;
}

type IsEnough = (range: Range, own: string[]) => boolean;

async function readTail(options: CursorOptions, isEnough: IsEnough): Promise<TradesBySymbol> {
  const { topic } = options;
  const remedy = `the controller makes it, or: rpk topic create ${topic}`;
  const reader = new PartitionReader({ ...options, clientId: 'k2-worker-cursor', remedy });
  try {
    return await new Tail(options, reader).read(isEnough);
  } finally {
    await reader.close();
  }
}

class Tail {
  readonly #options: CursorOptions;
  readonly #reader: PartitionReader;
  readonly #type: avsc.Type;

  constructor(options: CursorOptions, reader: PartitionReader) {
    this.#options = options;
    this.#reader = reader;
    this.#type = avsc.Type.forSchema(JSON.parse(options.schema));
  }

  async read(isEnough: IsEnough): Promise<TradesBySymbol> {
    const partitions = await this.#reader.partitions();
    const all: TradesBySymbol = new Map();
    for (let partition = 0; partition < partitions; partition++) {
      const isIn = (symbol: string) => partitionHash(Buffer.from(symbol)) % partitions === partition;
      const own = this.#options.symbols.filter(isIn);
      if (own.length === 0) continue;
      for (const [symbol, trades] of await this.#readPartition(partition, own, isEnough)) all.set(symbol, trades);
    }
    return all;
  }

  /** From further and further back, always to the end, where the last transactions say whether they are committed. */
  async #readPartition(partition: number, own: string[], isEnough: IsEnough): Promise<TradesBySymbol> {
    const start = await this.#reader.startOffset(partition);
    const end = await this.#reader.endOffset(partition);
    let range: Range = { trades: new Map(), firstTimeMs: null };
    for (let back = tailRecordsMin; back <= tailRecordsMax; back *= 4) {
      const from = end - BigInt(back) > start ? end - BigInt(back) : start;
      range = await this.#readRange(partition, from, end, own);
      if (from === start || isEnough(range, own)) break;
    }
    return range.trades;
  }

  async #readRange(partition: number, start: bigint, end: bigint, own: string[]): Promise<Range> {
    const { topic } = this.#options;
    const filter = new CommittedFilter();
    const range: Range = { trades: new Map(), firstTimeMs: null };
    let empties = 0;
    for (let offset = start; offset < end; ) {
      const { batches, nextOffset } = await this.#reader.fetch(partition, offset, fetchWaitMs);
      if (batches.length === 0 && ++empties > emptyFetchesMax) {
        throw new Error(`topic ${topic} gives nothing at offset ${offset} of partition ${partition}`);
      }
      for (const batch of batches) {
        for (const record of filter.take(batch, offset)) this.#keep(record, own, range);
      }
      offset = nextOffset;
    }
    return range;
  }

  #keep({ key, value: bytes, headers: ownHeaders }: CommittedRecord, own: string[], range: Range): void {
    const symbol = String(key);
    if (bytes === null || (range.firstTimeMs !== null && !own.includes(symbol))) return;
    const value: { trade_id: string; exchange_timestamp: number } = this.#type.fromBuffer(bytes.subarray(framingBytes));
    range.firstTimeMs ??= Number(value.exchange_timestamp);
    if (!own.includes(symbol)) return;
    const isBackfilled = ownHeaders.some(
      ([name, text]) => String(name) === headers.source && String(text) === restBackfill,
    );
    const trade = { tradeId: value.trade_id, exchangeTimeMs: Number(value.exchange_timestamp), isBackfilled };
    const ofSymbol = range.trades.get(symbol);
    if (ofSymbol) ofSymbol.push(trade);
    else range.trades.set(symbol, [trade]);
  }
}
