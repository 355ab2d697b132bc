// What the trade ids of one symbol say: next, gap, duplicate, out of order, reset. Pure: each trade is shown to it
// before it is written, and it answers whether to write it.

/** Ids from `firstId` to `lastId`, both included. */
export interface IdRange {
  firstId: bigint;
  lastId: bigint;
}

/** Trades that are missing, and being asked for. */
export interface Gap extends IdRange {
  /** When it was seen, milliseconds of the caller's clock. */
  openedMs: number;
  /** Exchange time of the trade before it, milliseconds since 1970. */
  afterTimeMs: number;
  /** Requests in a row that were answered and brought nothing of it; requests in a row that failed. */
  empties: number;
  failures: number;
  /** Not asked for before, caller's clock. */
  dueMs: number;
}

/** Trades that are missing for good. `missing` is less than the range where several ranges were put together. */
export interface Lost extends IdRange {
  missing: bigint;
  why: string;
  /** Exchange time of the trade before it, milliseconds since 1970. Absent in cursors of older versions. */
  timeMs?: number | undefined;
}

/** Trades since the first that was written, by whichever worker. */
export interface Counts {
  written: number;
  /** Of those written: fetched over REST. */
  repaired: number;
  /** Came again, and were not written again. */
  duplicates: number;
  /** Exchange time of the first one, milliseconds since 1970. */
  sinceMs: number;
}

/** What must be known of a symbol to go on where another worker ended. */
export interface Cursor {
  lastId: bigint;
  /** Latest exchange time of what was written, milliseconds since 1970. */
  timeMs: number;
  /** Still to be repaired, with the exchange time of the trade before each. */
  gaps: readonly (IdRange & { afterTimeMs: number })[];
  lost: readonly Lost[];
  /** Where ids began anew: the latest exchange time of the ids before. Null: they never did. */
  resetTimeMs: number | null;
  /** Absent: not known. They begin with the next trade then. */
  counts?: Counts | undefined;
}

export type Outcome = 'next' | 'gap' | 'out-of-order' | 'duplicate' | 'reset';

/** Of one symbol; a feed that loses every second frame reaches it, and then more requests would not help. */
export const gapsMax = 1000;
/** Of one symbol; beyond it neighbours are put together, and only the sum of their trades stays exact. */
export const lostMax = 100;

/** Exchanges give the same trade the same time, but for rounding between their interfaces. */
const roundingMs = 1000;
/** No snapshot and no second connection is that far behind. */
const overlapTradesMax = 10_000n;

const untried = { empties: 0, failures: 0 };

export class Continuity {
  #firstId: bigint | null = null;
  #nextId: bigint | null = null;
  /** Exchange times of the trade before `nextId`, and the latest of all. */
  #lastTimeMs = 0;
  #newestTimeMs = 0;
  /** Trades up to this exchange time are of ids before the present ones. */
  #resetTimeMs: number | null = null;
  #gaps: Gap[] = [];
  #lost: Lost[] = [];
  /** Trades to be written, live and back-filled, since the first; `resume` continues the counts of workers before. */
  written = 0;
  duplicates = 0;
  repaired = 0;
  /** Exchange time of the first of them; null before it. */
  sinceMs: number | null = null;
  /** Whether the cursor is another than when the caller last set this to false. */
  hasMoved = false;

  resume({ lastId, timeMs, gaps, lost, resetTimeMs, counts }: Cursor, nowMs: number): void {
    if (counts) Object.assign(this, counts);
    this.#firstId = 0n;
    this.#nextId = lastId + 1n;
    this.#lastTimeMs = timeMs;
    this.#newestTimeMs = timeMs;
    this.#resetTimeMs = resetTimeMs;
    this.#lost = [...lost];
    for (const gap of gaps) this.#open(gap, gap.afterTimeMs, nowMs);
  }

  /** Of everything taken so far; null before the first trade. */
  cursor(): Cursor | null {
    if (this.#nextId === null) return null;
    const gaps = this.#gaps.map(({ firstId, lastId, afterTimeMs }) => ({ firstId, lastId, afterTimeMs }));
    const lost = this.#lost.slice();
    const { written, repaired, duplicates, sinceMs } = this;
    return {
      lastId: this.#nextId - 1n,
      timeMs: this.#newestTimeMs,
      gaps,
      lost,
      resetTimeMs: this.#resetTimeMs,
      ...(sinceMs !== null && { counts: { written, repaired, duplicates, sinceMs } }),
    };
  }

  /** A trade from the stream. Everything but a duplicate is to be written. */
  take(id: bigint, exchangeTimeMs: number, nowMs: number): Outcome {
    const outcome = this.#judge(id, exchangeTimeMs);
    if (outcome === 'duplicate') {
      this.duplicates++;
      return outcome;
    }
    if (outcome === 'reset') this.#forget(`ids began anew at ${id}`);
    if (outcome === 'gap') this.#open({ firstId: this.#nextId ?? id, lastId: id - 1n }, this.#lastTimeMs, nowMs);
    if (outcome === 'out-of-order') this.#takeLate(id, exchangeTimeMs, nowMs);
    else this.#advance(id, exchangeTimeMs);
    this.#newestTimeMs = Math.max(this.#newestTimeMs, exchangeTimeMs);
    this.#count(exchangeTimeMs);
    this.hasMoved = true;
    return outcome;
  }

  /** A trade that REST gave. @returns whether it is to be written: it was missing, or is newer than all */
  fill(id: bigint, exchangeTimeMs: number, nowMs: number): boolean {
    if (this.#isOfIdsBefore(exchangeTimeMs)) return false;
    if (this.#nextId !== null && id < this.#nextId) {
      if (!this.#isMissing(id)) return false;
      this.#close(id, id, exchangeTimeMs);
      this.#count(exchangeTimeMs);
    } else {
      this.take(id, exchangeTimeMs, nowMs);
    }
    this.repaired++;
    return true;
  }

  /** REST has shown every trade from the one id to the other: what is still missing between them does not exist. */
  settle({ firstId, lastId }: IdRange, lastTimeMs: number): void {
    this.#close(firstId, lastId, lastTimeMs);
  }

  giveUp(gap: Gap, why: string): void {
    this.hasMoved = true;
    this.#gaps = this.#gaps.filter((other) => other !== gap);
    const { firstId, lastId, afterTimeMs: timeMs } = gap;
    this.#lost.push({ firstId, lastId, missing: lastId - firstId + 1n, why, timeMs });
    const [a, b] = this.#lost;
    if (this.#lost.length <= lostMax || a === undefined || b === undefined) return;
    const ids = [a.firstId, a.lastId, b.firstId, b.lastId].sort((x, y) => (x < y ? -1 : 1));
    const bounds = { firstId: ids[0] ?? a.firstId, lastId: ids[3] ?? b.lastId };
    this.#lost.splice(0, 2, { ...b, ...bounds, missing: a.missing + b.missing });
  }

  /** The id after the newest written, null before the first trade; and the exchange time of that newest. */
  newest(): { nextId: bigint | null; timeMs: number } {
    return { nextId: this.#nextId, timeMs: this.#lastTimeMs };
  }

  /** By id, ascending. */
  gaps(): readonly Gap[] {
    return this.#gaps;
  }

  lost(): readonly Lost[] {
    return this.#lost;
  }

  #count(exchangeTimeMs: number): void {
    this.written++;
    this.sinceMs ??= exchangeTimeMs;
  }

  #judge(id: bigint, exchangeTimeMs: number): Outcome {
    if (this.#isOfIdsBefore(exchangeTimeMs)) return 'duplicate';
    if (this.#firstId === null || this.#nextId === null || id === this.#nextId) return 'next';
    if (id > this.#nextId) return 'gap';
    if (this.#isMissing(id)) return 'out-of-order';
    // What was written is no later than the latest written.
    const laterMs = exchangeTimeMs - this.#newestTimeMs;
    const isFar = this.#nextId - id > overlapTradesMax;
    if (laterMs > roundingMs || (laterMs > 0 && isFar)) return 'reset';
    // A trade from before the first that was seen, in a frame that came after it.
    return id < this.#firstId && !isFar ? 'out-of-order' : 'duplicate';
  }

  /** A second connection or a standby's buffer may hold trades from before ids began anew, with far greater ids. */
  #isOfIdsBefore(exchangeTimeMs: number): boolean {
    return this.#resetTimeMs !== null && exchangeTimeMs <= this.#resetTimeMs;
  }

  #advance(id: bigint, exchangeTimeMs: number): void {
    this.#firstId ??= id;
    this.#nextId = id + 1n;
    this.#lastTimeMs = exchangeTimeMs;
  }

  #takeLate(id: bigint, exchangeTimeMs: number, nowMs: number): void {
    if (this.#firstId === null || id >= this.#firstId) {
      this.#close(id, id, exchangeTimeMs);
      return;
    }
    const lastId = this.#firstId - 1n;
    this.#firstId = id;
    if (id < lastId) this.#open({ firstId: id + 1n, lastId }, exchangeTimeMs, nowMs);
  }

  #isMissing(id: bigint): boolean {
    return this.#gaps.some(({ firstId, lastId }) => firstId <= id && id <= lastId);
  }

  #open({ firstId, lastId }: IdRange, afterTimeMs: number, nowMs: number): void {
    const oldest = this.#gaps[0];
    if (this.#gaps.length >= gapsMax && oldest) this.giveUp(oldest, `more than ${gapsMax} gaps at a time`);
    this.#gaps.push({ firstId, lastId, openedMs: nowMs, afterTimeMs, dueMs: nowMs, ...untried });
    this.#gaps.sort((a, b) => (a.firstId < b.firstId ? -1 : 1));
  }

  /** Takes ids out of the gaps; `lastTimeMs` is the exchange time of the last one. */
  #close(first: bigint, last: bigint, lastTimeMs: number): void {
    this.#gaps = this.#gaps.flatMap((gap) => {
      if (gap.lastId < first || last < gap.firstId) return [gap];
      this.hasMoved = true;
      const rest: Gap[] = [];
      if (gap.firstId < first) rest.push({ ...gap, lastId: first - 1n, ...untried });
      if (last < gap.lastId) rest.push({ ...gap, firstId: last + 1n, afterTimeMs: lastTimeMs, ...untried });
      return rest;
    });
  }

  #forget(why: string): void {
    for (const gap of [...this.#gaps]) this.giveUp(gap, why);
    this.#firstId = null;
    this.#resetTimeMs = this.#newestTimeMs;
    this.#newestTimeMs = 0;
  }
}

/** Of one symbol: more than an overlap of two connections or a snapshot holds. */
export const recentIdsMax = 5000;

/** The newest of what is written of a symbol whose ids prove nothing. */
export interface RecentTrades {
  /** In the order in which they were written. */
  ids: readonly string[];
  /** Everything up to this exchange time is written, milliseconds since 1970. */
  writtenMs: number;
}

/** @param trades in the order in which they were written, at least one; those before them are written, too */
export function recentTradesOf(trades: readonly { tradeId: string; exchangeTimeMs: number }[]): RecentTrades {
  const newest = trades.slice(-recentIdsMax);
  const times = newest.map(({ exchangeTimeMs }) => exchangeTimeMs);
  const oldestMs = times.reduce((least, time) => Math.min(least, time), times[0] ?? 0);
  // Of the oldest millisecond, some may stand before: it counts as written where the next one has begun.
  const isOver = times.some((time) => time > oldestMs);
  return { ids: newest.map(({ tradeId }) => tradeId), writtenMs: isOver ? oldestMs : oldestMs - 1 };
}

/** For ids that prove nothing: only that a trade was written already. */
export class RecentIds {
  readonly #ids = new Set<string>();
  #writtenMs = Number.NEGATIVE_INFINITY;
  duplicates = 0;

  resume({ ids, writtenMs }: RecentTrades): void {
    for (const id of ids) this.#ids.add(id);
    this.#writtenMs = writtenMs;
  }

  /** @returns whether it is to be written */
  take(id: string, exchangeTimeMs: number): boolean {
    if (exchangeTimeMs <= this.#writtenMs || this.#ids.has(id)) {
      this.duplicates++;
      return false;
    }
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > recentIdsMax && oldest !== undefined) this.#ids.delete(oldest);
    return true;
  }
}
