// The judgement: records in, report out. It knows no broker and no clock; what it holds is bounded.
import { murmur2 } from '@platformatic/kafka';
import { differences, type NormalizedTrade } from './compare.ts';
import type { Cursors } from './cursors.ts';
import { Findings } from './findings.ts';
import { Ledger } from './ledger.ts';
import { type Half, Pairing, type Side, waitingMax } from './pairing.ts';
import { isCanonical, type Reading, readTrades } from './readings.ts';
import { type Report, reportOf, type Totals } from './report.ts';
import { type Place, type Trade, tradeKey } from './trade.ts';

export interface AuditorOptions {
  exchange: string;
  reading: Reading;
  /** Only records of this time and later are audited, milliseconds since 1970; null: from the beginning. */
  fromMs: number | null;
  /** Only records before this time; null: up to the end. */
  untilMs: number | null;
  /** Where each topic's partitions begin. */
  begins: Begins;
  /** Findings that are told in words; all are counted. */
  toldMax: number;
}

/**
 * By partition: from when on it holds all that was written to it, milliseconds since 1970; -Infinity where nothing was
 * removed, Infinity where everything was.
 */
export type Begins = Record<Side, readonly number[]>;

interface Read extends Place {
  /** The record's, milliseconds since 1970. */
  timeMs: number;
  key: string | null;
  /** The header k2-source. */
  source: string | null;
}

export interface RawRecord extends Read {
  value: Buffer | null;
  /** The headers k2-received-us and k2-unreadable. */
  receivedUs: string | null;
  unreadable: string | null;
}

export interface NormalizedRecord extends Read {
  /** Or why it cannot be read. */
  value: NormalizedTrade | string;
}

const restBackfill = 'rest-backfill';

export class Auditor {
  readonly #options: AuditorOptions;
  readonly #isProvable: boolean;
  readonly #findings: Findings;
  readonly #ledgers = new Map<string, Ledger>();
  readonly #pairing = new Pairing();
  readonly #totals: Totals = { raw: 0, normalized: 0, repeats: 0, unreadable: 0, deadLetters: 0 };
  #isAtEnd = false;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#isProvable = options.reading.whyNoProof === null;
    this.#findings = new Findings(options.toldMax);
  }

  raw(record: RawRecord): void {
    if (!this.#isWithin(record)) return;
    const { value, key, unreadable } = record;
    const isBackfilled = record.source === restBackfill;
    const trades = value === null ? 'it has no value' : readTrades(this.#options.reading, value, key, isBackfilled);
    if (this.#isAtEnd) {
      if (typeof trades !== 'string') this.#pairLater(record, trades, isBackfilled);
      return;
    }
    this.#totals.raw++;
    if (unreadable !== null) this.#onUnreadable(record, trades);
    else if (typeof trades === 'string')
      this.#findings.add('unreadable-frame', `A frame cannot be read: ${trades}`, record);
    else if (trades.length === 0) this.#findings.add('frame-without-trade', 'A frame holds no trade', record);
    else this.#takeFrame(record, trades, isBackfilled);
  }

  normalized(record: NormalizedRecord): void {
    if (!this.#isWithin(record)) return;
    const { value } = record;
    if (typeof value === 'string') {
      if (!this.#isAtEnd)
        this.#findings.add('unreadable-trade', `A normalized record cannot be read: ${value}`, record);
      return;
    }
    const isBackfilled = record.source === restBackfill;
    const half: Half = { side: 'normalized', value, isBackfilled, timeMs: record.timeMs, ...placeOf(record) };
    const ledger = this.#ledger(value.symbol);
    const key = tradeKey(value.symbol, value.trade_id);
    if (this.#isAtEnd) {
      ledger.newest(value.trade_id);
      this.#compare(this.#pairing.other(key, 'normalized'), half);
      return;
    }
    this.#totals.normalized++;
    this.#checkNames(record, value, ledger);
    const isNew = ledger.seen('normalized', value.trade_id, isBackfilled);
    if (isNew === null) this.#findings.add('wrong-id', `${key}: the id is not a number`, record);
    if (isNew === false) {
      ledger.doubled++;
      this.#findings.add('doubled', `${key} is there again`, record);
      return;
    }
    ledger.trades++;
    if (isBackfilled) ledger.backfilled++;
    this.#pair(ledger, key, half);
  }

  deadLetter(): void {
    if (!this.#isAtEnd) this.#totals.deadLetters++;
  }

  /** What comes from now on was written after the end: it only shows whether what waits for its other half finds it. */
  end(): void {
    this.#isAtEnd = true;
  }

  /** Whether nothing could be gained by reading what was written after the end. */
  isSettled(cursors: Cursors | null): boolean {
    const isBehind = (ledger: Ledger) => {
      const { newestId } = ledger.bounds();
      return newestId !== null && (cursors?.of(ledger.symbol) ?? []).some(({ lastId }) => lastId !== newestId);
    };
    return this.#pairing.waiting() === 0 && ![...this.#ledgers.values()].some(isBehind);
  }

  /** @param cursors null: there are none, or they cannot be compared */
  report(cursors: Cursors | null): Report {
    for (const half of this.#pairing.giveUp()) this.#onAlone(half);
    const { exchange, reading } = this.#options;
    const ledgers = [...this.#ledgers.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    const { whyNoProof } = reading;
    return reportOf({ exchange, whyNoProof, ledgers, cursors, findings: this.#findings, totals: this.#totals });
  }

  #takeFrame(record: RawRecord, trades: readonly Trade[], isBackfilled: boolean): void {
    const { key } = record;
    if (!trades.some(({ symbol }) => symbol === key)) {
      this.#findings.add('wrong-key', `A raw record of ${trades[0]?.symbol} has the key ${key}`, record);
    }
    let repeats = 0;
    for (const trade of trades) {
      const ledger = this.#ledger(trade.symbol);
      if (ledger.seen('raw', trade.id, isBackfilled) === false) repeats++;
      else this.#pair(ledger, tradeKey(trade.symbol, trade.id), rawHalf(record, trade, isBackfilled));
    }
    this.#totals.repeats += repeats;
    if (repeats === trades.length) {
      const [first] = trades;
      this.#findings.add(
        'repeated-frame',
        `A raw record of ${first?.symbol} ${first?.id} holds only what came before`,
        record,
      );
    }
  }

  #pairLater(record: RawRecord, trades: readonly Trade[], isBackfilled: boolean): void {
    for (const trade of trades) {
      const half = rawHalf(record, trade, isBackfilled);
      this.#compare(this.#pairing.other(tradeKey(trade.symbol, trade.id), 'raw'), half);
    }
  }

  #onUnreadable(record: RawRecord, trades: readonly Trade[] | string): void {
    this.#totals.unreadable++;
    if (typeof trades === 'string' || trades.length === 0) return;
    const ids = trades.map(({ symbol, id }) => tradeKey(symbol, id)).join(', ');
    this.#findings.add('dead-letter', `A frame is marked unreadable (${record.unreadable}), but holds ${ids}`, record);
  }

  #checkNames(record: NormalizedRecord, value: NormalizedTrade, ledger: Ledger): void {
    const { exchange, reading } = this.#options;
    const { symbol, canonical_symbol: canonical } = value;
    if (record.key !== symbol) {
      this.#findings.add('wrong-key', `A normalized trade of ${symbol} has the key ${record.key}`, record);
    }
    if (value.exchange !== exchange) {
      this.#findings.add('differs', `${tradeKey(symbol, value.trade_id)}: exchange is ${value.exchange}`, record);
    }
    if (ledger.canonicalSymbol === canonical) return;
    const isFirst = ledger.canonicalSymbol === null;
    ledger.canonicalSymbol ??= canonical;
    if (!isFirst) {
      const words = `The canonical symbol of ${symbol} is ${canonical}, and was ${ledger.canonicalSymbol}`;
      this.#findings.add('canonical', words, record);
    } else if (!isCanonical(reading, symbol, canonical)) {
      this.#findings.add(
        'canonical',
        `The canonical symbol of ${symbol} is ${canonical}, which it is not made of`,
        record,
      );
    }
  }

  #pair(ledger: Ledger, key: string, half: Half): void {
    // Its other half may have been removed.
    if (half.timeMs < ledger.bothBeginMs) {
      ledger.before++;
      return;
    }
    this.#compare(this.#pairing.take(key, half), half);
    const alone = this.#pairing.overflow();
    if (alone !== null) this.#onAlone(alone, ` within ${waitingMax} trades`);
  }

  /** @param other null: it has not come yet */
  #compare(other: Half | null, half: Half): void {
    if (other === null) return;
    const raw = half.side === 'raw' ? half : other;
    const normalized = half.side === 'normalized' ? half : other;
    if (raw.side !== 'raw' || normalized.side !== 'normalized') return;
    const differing = differences(raw, normalized);
    if (differing.length === 0) return;
    const { symbol, trade_id: id } = normalized.value;
    this.#ledger(symbol).differing++;
    this.#findings.add('differs', `${tradeKey(symbol, id)}: ${differing.join('; ')}`, normalized, raw);
  }

  /** Its other half has not come. */
  #onAlone(half: Half, where = ''): void {
    const { symbol, id } = half.side === 'raw' ? half.trade : { symbol: half.value.symbol, id: half.value.trade_id };
    const ledger = this.#ledger(symbol);
    if (half.side === 'raw' && ledger.isBefore(id)) {
      ledger.before++;
    } else if (half.side === 'raw') {
      ledger.rawWithoutTrade++;
      this.#findings.add('raw-without-trade', `${tradeKey(symbol, id)} is not in the normalized topic${where}`, half);
    } else {
      ledger.tradeWithoutRaw++;
      this.#findings.add('trade-without-raw', `${tradeKey(symbol, id)} is in no raw record${where}`, half);
    }
  }

  #ledger(symbol: string): Ledger {
    const known = this.#ledgers.get(symbol);
    if (known) return known;
    const { begins, fromMs } = this.#options;
    const [rawMs, normalizedMs] = [beginOf(begins.raw, symbol), beginOf(begins.normalized, symbol)];
    const isWhole = fromMs === null && normalizedMs === Number.NEGATIVE_INFINITY;
    const ledger = new Ledger(symbol, this.#isProvable, isWhole, Math.max(rawMs, normalizedMs));
    this.#ledgers.set(symbol, ledger);
    return ledger;
  }

  #isWithin({ timeMs }: { timeMs: number }): boolean {
    const { fromMs, untilMs } = this.#options;
    return (fromMs === null || timeMs >= fromMs) && (untilMs === null || timeMs < untilMs);
  }
}

const placeOf = ({ topic, partition, offset }: Place): Place => ({ topic, partition, offset });

function rawHalf(record: RawRecord, trade: Trade, isBackfilled: boolean): Half {
  const { receivedUs } = record;
  const receivedMs = /^\d+$/.test(receivedUs ?? '') ? Math.floor(Number(receivedUs) / 1000) : Number.NaN;
  return { side: 'raw', trade, isBackfilled, receivedMs, timeMs: record.timeMs, ...placeOf(record) };
}

/** Of the partition in which a symbol's records stand: by murmur2 of the key, as Java's default partitioner has it. */
function beginOf(begins: readonly number[], symbol: string): number {
  const hash = murmur2(Buffer.from(symbol)) & 0x7fffffff;
  return begins[hash % begins.length] ?? Number.NEGATIVE_INFINITY;
}
