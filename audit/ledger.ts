// What is known of one symbol: counts, the ids that each topic has, its canonical symbol.
import { type IdRange, IdRanges, RecentIds } from './trade-ids.ts';

export class Ledger {
  readonly symbol: string;
  /** Before it, one of the topics may hold what was removed from the other, milliseconds since 1970. */
  readonly bothBeginMs: number;
  /** Null until a normalized trade names it. */
  canonicalSymbol: string | null = null;
  /** Normalized, each counted once. */
  trades = 0;
  backfilled = 0;
  doubled = 0;
  rawWithoutTrade = 0;
  tradeWithoutRaw = 0;
  differing = 0;
  /** Not compared, because one of the topics begins later. */
  before = 0;
  /** Where ids prove nothing: the first and the last normalized trade's. */
  firstSeen: string | null = null;
  lastSeen: string | null = null;
  /** Least id of a live trade: what came before it, only back-filled ones tell. */
  #firstLiveId: bigint | null = null;
  /** Greatest id, with those that were written after the end. */
  #newestId: bigint | null = null;
  /** Null where ids prove nothing. */
  readonly #ids: Record<'raw' | 'normalized', IdRanges> | null;
  readonly #recent = { raw: new RecentIds(), normalized: new RecentIds() };

  /** Whether every normalized trade that was ever written is audited. */
  readonly #isWhole: boolean;

  constructor(symbol: string, isProvable: boolean, isWhole: boolean, bothBeginMs: number) {
    this.symbol = symbol;
    this.bothBeginMs = bothBeginMs;
    this.#isWhole = isWhole;
    this.#ids = isProvable ? { raw: new IdRanges(), normalized: new IdRanges() } : null;
  }

  /** @returns whether the topic has it for the first time; null: the id is not a number, and has to be one */
  seen(side: 'raw' | 'normalized', id: string, isBackfilled: boolean): boolean | null {
    if (this.#ids === null) {
      if (side === 'normalized') {
        this.firstSeen ??= id;
        this.lastSeen = id;
      }
      return this.#recent[side].add(id);
    }
    if (!isId(id)) return null;
    const number = BigInt(id);
    if (side === 'normalized' && !isBackfilled && (this.#firstLiveId === null || number < this.#firstLiveId)) {
      this.#firstLiveId = number;
    }
    if (side === 'normalized') this.newest(id);
    return this.#ids[side].add(number);
  }

  /** A normalized trade, perhaps one that was written after the end. */
  newest(id: string): void {
    if (isId(id) && (this.#newestId === null || BigInt(id) > this.#newestId)) this.#newestId = BigInt(id);
  }

  /** Whether a trade of a raw record is from before what is audited: a frame repeats it beside a new one. */
  isBefore(id: string): boolean {
    return !this.#isWhole && this.#firstLiveId !== null && isId(id) && BigInt(id) < this.#firstLiveId;
  }

  /** Of the normalized trades that are audited. */
  bounds(): { firstId: bigint | null; lastId: bigint | null; newestId: bigint | null } {
    const ids = this.#ids?.normalized;
    return { firstId: ids?.first() ?? null, lastId: ids?.last() ?? null, newestId: this.#newestId };
  }

  /** What is missing; null: ids prove nothing. */
  holes(): IdRange[] | null {
    if (this.#ids === null) return null;
    const ids = this.#ids.normalized;
    const from = this.#isWhole ? ids.first() : (this.#firstLiveId ?? ids.first());
    return from === null ? [] : ids.holes(from);
  }

  leavesTooManyGaps(): boolean {
    return this.#ids !== null && (this.#ids.normalized.isFull() || this.#ids.raw.isFull());
  }
}

/** More digits are no exchange's. */
const isId = (text: string) => /^\d{1,38}$/.test(text);
