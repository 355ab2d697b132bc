// Recorded frames through the worker's own functions, without a connection or a broker: parse, symbols, records, and
// the Avro that was written, read back. What comes out is what the normalized topic would hold.
import avsc from 'avsc';
import type { Continuity } from './continuity.ts';
import type { Exchange, Listing, Parsed } from './exchanges/exchange.ts';
import type { RecordedFrame } from './recording.ts';
import { framingBytes, Records } from './records.ts';
import { type Admitted, Symbols } from './symbols.ts';
import type { Trade } from './trade.ts';

export interface AuditOptions {
  exchangeId: string;
  exchange: Exchange;
  /** Text of schemas/normalized-trade.avsc. */
  schema: string;
  /** What the exchange's metadata lists; null: there is none. */
  listings: readonly Listing[] | null;
}

export interface Summary {
  frames: Map<Parsed['kind'], number>;
  /** Without duplicates. */
  trades: number;
  duplicates: number;
  /** The first unreadableToldMax of them. */
  unreadable: { line: number; why: string }[];
  /** Trades of frames without a received time. */
  untimed: number;
  /** Symbols whose canonical symbol is not known. */
  unknownSymbols: string[];
  /** By symbol, where ids prove anything; an empty list: no trade is missing. */
  gaps: Map<string, Missing[]>;
}

export interface Missing {
  /** Both included. */
  firstId: bigint;
  lastId: bigint;
  /** Trades; less than the range has ids where gaps were put together because there were too many. */
  trades: bigint;
}

/** Frames that cannot be read are all counted, and told one by one up to here. */
export const unreadableToldMax = 20;

const millisecondUs = 1000;

export class Audit {
  readonly #options: AuditOptions;
  readonly #records: Records;
  readonly #type: avsc.Type;
  readonly #symbols: Symbols;
  /** By the symbol that frames have; a symbol's own listing before one that is streamed under its name. */
  readonly #listings: ReadonlyMap<string, Listing>;
  readonly #known = new Set<string>();
  readonly #unknownSymbols = new Set<string>();
  readonly #frames: Summary['frames'] = new Map();
  readonly #unreadable: Summary['unreadable'] = [];
  #trades = 0;
  #duplicates = 0;
  #untimed = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
    const { exchangeId: exchange, schema, listings } = options;
    this.#records = new Records({ exchange, topicRaw: 'raw', topicNormalized: 'normalized', schema, schemaId: 0 });
    this.#type = avsc.Type.forSchema(JSON.parse(schema));
    this.#symbols = new Symbols(options.exchange);
    const named = (name: (listing: Listing) => string) => (listings ?? []).map((it) => [name(it), it] as const);
    this.#listings = new Map([...named((it) => it.streamedAs ?? it.symbol), ...named((it) => it.symbol)]);
  }

  /** @returns one line of JSON for each trade that did not come before, in the order in which the worker writes them */
  read({ frame, line, receivedUs }: RecordedFrame): string[] {
    const parsed = this.#options.exchange.parse(frame);
    const trades = parsed.kind === 'trades' ? parsed.trades : [];
    for (const { symbol } of trades) this.#learn(symbol);
    const admitted = this.#symbols.admit(trades, Math.floor((receivedUs ?? 0) / millisecondUs));
    if (typeof admitted === 'string') return this.#count('unreadable', { line, why: admitted });
    if (parsed.kind === 'unreadable') return this.#count('unreadable', { line, why: parsed.why });
    this.#count(parsed.kind);
    this.#trades += admitted.length;
    this.#duplicates += trades.length - admitted.length;
    if (receivedUs === null) this.#untimed += admitted.length;
    return admitted.map((it) => this.#lineOf(it, receivedUs ?? it.trade.exchangeTimeMs * millisecondUs));
  }

  summary(): Summary {
    const continuities = this.#symbols.entries().flatMap(({ listing, continuity }) => {
      return continuity === null ? [] : [[listing.symbol, missingOf(continuity)] as const];
    });
    return {
      frames: this.#frames,
      trades: this.#trades,
      duplicates: this.#duplicates,
      unreadable: this.#unreadable,
      untimed: this.#untimed,
      unknownSymbols: [...this.#unknownSymbols],
      gaps: new Map(continuities),
    };
  }

  #count(kind: Parsed['kind'], unreadable?: Summary['unreadable'][number]): [] {
    this.#frames.set(kind, (this.#frames.get(kind) ?? 0) + 1);
    if (unreadable && this.#unreadable.length < unreadableToldMax) this.#unreadable.push(unreadable);
    return [];
  }

  /** A recording may have any symbol: each is taken as asked for. */
  #learn(symbol: Trade['symbol']): void {
    if (this.#known.has(symbol)) return;
    this.#known.add(symbol);
    const listing = this.#listings.get(symbol) ?? { symbol, canonicalSymbol: this.#toldBy(symbol) ?? '' };
    if (listing.canonicalSymbol === '') this.#unknownSymbols.add(symbol);
    this.#symbols.learn(listing, undefined, 0);
  }

  /** Metadata that does not list a symbol is not overruled. */
  #toldBy(symbol: string): string | null {
    const { listings, exchange } = this.#options;
    return listings === null ? (exchange.listing.canonicalOf?.(symbol) ?? null) : null;
  }

  /** Written and read back: what a consumer gets, under the schema's field names. */
  #lineOf({ trade, canonicalSymbol }: Admitted, receivedUs: number): string {
    const { value } = this.#records.normalized(trade, canonicalSymbol, receivedUs);
    const read = this.#type.fromBuffer(value.subarray(framingBytes)) as object;
    return JSON.stringify(canonicalSymbol === '' ? { ...read, canonical_symbol: null } : read);
  }
}

function missingOf(continuity: Continuity): Missing[] {
  const gaps = continuity.gaps().map((gap) => ({ ...gap, missing: gap.lastId - gap.firstId + 1n }));
  return [...continuity.lost(), ...gaps].map(({ firstId, lastId, missing }) => ({ firstId, lastId, trades: missing }));
}
