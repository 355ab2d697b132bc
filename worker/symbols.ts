// What the feed knows of its symbols: their listings, what was written of them, and what has to be asked for.
// Pure: it decides which trades are written and which are asked for; the feed and the backfill do it.
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import { Continuity, type Cursor, type Gap, RecentIds, type RecentTrades } from './continuity.ts';
import type { BackfilledTrade, BackfillRange, Exchange, Listing } from './exchanges/exchange.ts';
import { Rhythm } from './rhythm.ts';
import type { Trade } from './trade.ts';

/** Frames that overtake each other, and the second of two connections, fill a gap by themselves within it. */
export const gapGraceMs = 1500;

/** A symbol on which no trade came so long after an interruption is asked for by REST: a quiet market is not silent. */
export const tailGraceMs = 10_000;

/** REST may lag behind the stream: a minute of answers without the trades before they count as not to be had. */
const emptiesMax = 6;
const emptyLimits: BackoffLimits = { delayMsBase: 2000, delayMsMax: 30_000 };

/** Of one symbol's gap; half of the normalized topic's usual retention, longer than most bans. */
const repairMsMax = 24 * 3_600_000;
const failureLimits: BackoffLimits = { delayMsBase: 1000, delayMsMax: 60_000 };

/** An id that can be compared. */
const idPattern = /^\d{1,38}$/;

export interface SymbolEntry {
  listing: Listing;
  /** Null where ids prove nothing. */
  continuity: Continuity | null;
  recentIds: RecentIds;
  /**
   * Trades may have come that nobody read: when the symbol was subscribed again, caller's clock, Infinity before that;
   * null once a trade says whether.
   */
  interruptedMs: number | null;
  tailFailures: number;
  rhythm: Rhythm;
  /** REST had trades that the stream did not bring though it was subscribed, and it has brought none since. */
  isSilent: boolean;
}

/** What is written of symbols, by the name under which they are asked for; recent trades where ids prove nothing. */
export type Written = ReadonlyMap<string, Cursor | RecentTrades>;

export interface Admitted {
  trade: Trade;
  canonicalSymbol: string;
}

/** Something to ask REST for. */
export interface Job {
  entry: SymbolEntry;
  continuity: Continuity;
  /** Null: what came since the newest. */
  gap: Gap | null;
  range: BackfillRange;
}

export class Symbols {
  readonly #exchange: Exchange;
  /** By the symbol that frames have. */
  readonly #entries = new Map<string, SymbolEntry>();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /**
   * @param past what is written of it, if anything
   * @returns why the symbol cannot be told from another one, one sentence; null: it is known now
   */
  learn(listing: Listing, past: Cursor | RecentTrades | undefined, nowMs: number): string | null {
    const name = listing.streamedAs ?? listing.symbol;
    const other = this.#entries.get(name);
    if (other && other.listing.symbol !== listing.symbol) {
      return `${listing.symbol} is streamed as ${name}, and so is ${other.listing.symbol}: ask for one of them`;
    }
    if (other) return null;
    this.#entries.set(name, this.#entryOf(listing, past, nowMs));
    return null;
  }

  /** Forgets all trades of the known symbols: each goes on from what is written of it now. */
  begin(written: Written, nowMs: number): void {
    for (const [name, { listing }] of this.#entries) {
      this.#entries.set(name, this.#entryOf(listing, written.get(listing.symbol), nowMs));
    }
  }

  /** As the exchange lists them. */
  names(): string[] {
    return [...this.#entries.values()].map(({ listing }) => listing.symbol);
  }

  entries(): SymbolEntry[] {
    return [...this.#entries.values()];
  }

  /** Cursors of the symbols of which something was written or settled since the last call. */
  changedCursors(): { symbol: string; cursor: Cursor }[] {
    const changed: { symbol: string; cursor: Cursor }[] = [];
    for (const { listing, continuity } of this.#entries.values()) {
      if (!continuity?.hasMoved) continue;
      continuity.hasMoved = false;
      const cursor = continuity.cursor();
      if (cursor) changed.push({ symbol: listing.symbol, cursor });
    }
    return changed;
  }

  /** Nobody reads these symbols any more. */
  interrupt(symbols: readonly string[]): void {
    for (const entry of this.#entries.values()) {
      if (symbols.includes(entry.listing.symbol)) entry.interruptedMs = Number.POSITIVE_INFINITY;
    }
  }

  /** They are read again. */
  resume(symbols: readonly string[], nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.interruptedMs !== null && symbols.includes(entry.listing.symbol)) entry.interruptedMs = nowMs;
    }
  }

  /**
   * @param trades of one frame, in any order
   * @returns those that were not written yet, by id; or why the frame cannot be told, one sentence
   */
  admit(trades: readonly Trade[], nowMs: number): Admitted[] | string {
    for (const { symbol, tradeId } of trades) {
      const entry = this.#entries.get(symbol);
      if (entry === undefined) return `trade of ${symbol}, which was not asked for`;
      if (entry.continuity && !idPattern.test(tradeId)) return `trade's id '${tradeId}' is not a number`;
    }
    const admitted: Admitted[] = [];
    for (const trade of this.#inOrder(trades)) {
      const entry = this.#entries.get(trade.symbol);
      if (entry && isNew(entry, trade, nowMs)) admitted.push(named(entry, trade));
    }
    return admitted;
  }

  /** What is to be asked for now: the oldest gap that is due, or what came since an interruption. */
  job(nowMs: number): Job | null {
    let oldest: Job | null = null;
    for (const entry of this.#entries.values()) {
      const { continuity, listing } = entry;
      if (continuity === null) continue;
      const isSuspect = entry.interruptedMs === null && entry.rhythm.isBroken(nowMs);
      const interruptedMs = isSuspect ? nowMs - tailGraceMs : entry.interruptedMs;
      for (const gap of continuity.gaps()) {
        if (gap.dueMs > nowMs || gap.openedMs + gapGraceMs > nowMs) continue;
        if (oldest?.gap && oldest.gap.openedMs <= gap.openedMs) continue;
        // With the trade before and the one after it, which exist: then an answer proves what does not.
        const range = { listing, firstId: atLeast0(gap.firstId - 1n), lastId: gap.lastId + 1n };
        oldest = { entry, continuity, gap, range: { ...range, afterTimeMs: gap.afterTimeMs } };
      }
      const { nextId, timeMs } = continuity.newest();
      if (oldest || interruptedMs === null || interruptedMs + tailGraceMs > nowMs || nextId === null) continue;
      const range = { listing, firstId: atLeast0(nextId - 1n), lastId: null, afterTimeMs: timeMs };
      oldest = { entry, continuity, gap: null, range };
    }
    return oldest;
  }

  /**
   * Takes the answer to a job.
   * @returns what is to be written of it, by id
   */
  fill(job: Job, answer: readonly BackfilledTrade[], nowMs: number): (Admitted & { text: string })[] {
    const { entry, continuity, gap } = job;
    const { nextId } = continuity.newest();
    const trades = answer
      .filter(({ trade }) => idPattern.test(trade.tradeId))
      .map(({ trade, text }) => ({ id: BigInt(trade.tradeId), trade, text }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    // Newer ones than the stream gave are left to the stream, if it flows.
    const wanted = gap && nextId !== null ? trades.filter(({ id }) => id < nextId) : trades;
    const admitted = wanted
      .filter(({ id, trade }) => continuity.fill(id, trade.exchangeTimeMs, nowMs))
      .map(({ trade, text }) => ({ ...named(entry, trade), text }));
    const [least, greatest] = [trades[0], trades.at(-1)];
    if (least && greatest) {
      continuity.settle({ firstId: least.id, lastId: greatest.id }, greatest.trade.exchangeTimeMs);
    }
    if (gap === null) {
      entry.tailFailures = 0;
      entry.rhythm.asked(nowMs);
      if (entry.interruptedMs === null) entry.isSilent ||= admitted.length > 0;
      else if (admitted.length === 0) entry.interruptedMs = null;
    } else if (continuity.gaps().includes(gap)) {
      gap.failures = 0;
      this.#onEmpty(continuity, gap, nowMs);
    }
    return admitted;
  }

  /** The job could not be done; it is tried again, but not for ever. @param random a number in [0, 1) */
  fail(job: Job, why: string, nowMs: number, random: number): void {
    const { entry, continuity, gap } = job;
    if (gap === null && entry.interruptedMs === null) {
      entry.rhythm.asked(nowMs);
    } else if (gap === null) {
      entry.interruptedMs = nowMs - tailGraceMs + backoffDelayMs(++entry.tailFailures, failureLimits, random);
    } else if (nowMs - gap.openedMs > repairMsMax) {
      continuity.giveUp(gap, `not to be had for ${repairMsMax / 3_600_000} h: ${why}`);
    } else {
      gap.dueMs = nowMs + backoffDelayMs(++gap.failures, failureLimits, random);
    }
  }

  giveUp({ entry, continuity, gap }: Job, why: string, nowMs: number): void {
    if (gap) continuity.giveUp(gap, why);
    else entry.interruptedMs = null;
    entry.rhythm.asked(nowMs);
  }

  #entryOf(listing: Listing, past: Cursor | RecentTrades | undefined, nowMs: number): SymbolEntry {
    const continuity = this.#exchange.continuity.kind === 'none' ? null : new Continuity();
    const recentIds = new RecentIds();
    if (past && 'ids' in past) recentIds.resume(past);
    else if (past) continuity?.resume(past, nowMs);
    const interruptedMs = past ? Number.POSITIVE_INFINITY : null;
    const stream = { interruptedMs, tailFailures: 0, rhythm: new Rhythm(), isSilent: false };
    return { listing, continuity, recentIds, ...stream };
  }

  #onEmpty(continuity: Continuity, gap: Gap, nowMs: number): void {
    gap.empties++;
    if (gap.empties >= emptiesMax) continuity.giveUp(gap, "the exchange's history does not have these trades");
    else gap.dueMs = nowMs + backoffDelayMs(gap.empties, emptyLimits, 1);
  }

  #inOrder(trades: readonly Trade[]): readonly Trade[] {
    if (trades.length < 2 || this.#exchange.continuity.kind === 'none') return trades;
    return trades.toSorted((a, b) => (BigInt(a.tradeId) < BigInt(b.tradeId) ? -1 : 1));
  }
}

function isNew(entry: SymbolEntry, { tradeId, exchangeTimeMs }: Trade, nowMs: number): boolean {
  const { continuity, recentIds } = entry;
  if (continuity === null) return recentIds.take(tradeId, exchangeTimeMs);
  entry.isSilent = false;
  entry.rhythm.beat(nowMs);
  const outcome = continuity.take(BigInt(tradeId), exchangeTimeMs, nowMs);
  if (outcome === 'next' || outcome === 'gap' || outcome === 'reset') entry.interruptedMs = null;
  return outcome !== 'duplicate';
}

/** Under the name by which it was asked for. */
function named({ listing }: SymbolEntry, trade: Trade): Admitted {
  const { symbol, canonicalSymbol } = listing;
  return { trade: trade.symbol === symbol ? trade : { ...trade, symbol }, canonicalSymbol };
}

const atLeast0 = (id: bigint): bigint => (id < 0n ? 0n : id);
