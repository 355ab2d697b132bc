// When each taker order of one symbol was. Eras begin where its ids were reset: REST knows the last one only, what was
// made is all of them.
import { blockOfAggregate, firstAggregateIdOf, type Listing, type TakerOrder, takerOrders } from './trades.ts';

/** Orders whose time is kept, 8 bytes each: the oldest eighth is forgotten beyond it. */
const orderTimesMax = 2_000_000;

/** A taker order with the time at which it matched, by the exchange's clock, microseconds since 1970. */
export interface TimedOrder extends TakerOrder {
  timeUs: number;
}

interface Era {
  /** The aggregate id of the first time in `times`. */
  from: number;
  times: number[];
  /** The first aggregate id that was made here, or made since forgetMade(). */
  madeFrom: number;
}

export class OrderHistory {
  #era: Era;
  #past: Era[] = [];
  #forgotten = 0;

  /** @param before times of the orders before the start, the first of them `from` */
  constructor(from: number, before: number[]) {
    this.#era = { from, times: before, madeFrom: from + before.length };
  }

  get from(): number {
    return this.#era.from;
  }

  /** One more than the last aggregate id. */
  get end(): number {
    return this.#era.from + this.#era.times.length;
  }

  get lastUs(): number {
    return this.#era.times.at(-1) ?? 0;
  }

  timeUs(aggregateId: number): number | undefined {
    return this.#era.times[aggregateId - this.#era.from];
  }

  append(timeUs: number): void {
    const { times } = this.#era;
    if (times.length === orderTimesMax) {
      times.splice(0, orderTimesMax / 8);
      this.#era.from += orderTimesMax / 8;
      this.#forgotten += Math.max(0, this.#era.from - this.#era.madeFrom);
      this.#era.madeFrom = Math.max(this.#era.madeFrom, this.#era.from);
    }
    times.push(timeUs);
  }

  /** Ids go on from another number. */
  beginEra(aggregateId: number): void {
    this.#past.push(this.#era);
    this.#era = { from: aggregateId, times: [], madeFrom: aggregateId };
    while (this.#past.reduce((sum, era) => sum + era.times.length, 0) > orderTimesMax) {
      this.#forgotten += this.#past.shift()?.times.length ?? 0;
    }
  }

  /** The first aggregate id at or after a time. An exchange's clock that was set back makes times fall. */
  firstAt(timeUs: number, isRising: boolean): number {
    const { from, times } = this.#era;
    if (!isRising) {
      const index = times.findIndex((time) => time >= timeUs);
      return index === -1 ? this.end : from + index;
    }
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] ?? 0) < timeUs) low = middle + 1;
      else high = middle;
    }
    return from + low;
  }

  /** What was made since the start or forgetMade(), in the order of making. */
  *made(): Generator<{ aggregateId: number; timeUs: number }> {
    for (const era of [...this.#past, { ...this.#era }]) {
      const end = era.from + era.times.length;
      for (let id = era.madeFrom; id < end; id++) yield { aggregateId: id, timeUs: era.times[id - era.from] ?? 0 };
    }
  }

  /** Orders that made() should have and has no more. */
  get ordersForgotten(): number {
    return this.#forgotten;
  }

  forgetMade(): void {
    this.#past = [];
    this.#forgotten = 0;
    this.#era.madeFrom = this.end;
  }
}

/** The orders of the given ids, which rise except where an era ends. */
export function* timedOrders(
  seed: number,
  listing: Listing,
  ids: Iterable<{ aggregateId: number; timeUs: number }>,
): Generator<TimedOrder> {
  let block = -1;
  let orders: TakerOrder[] = [];
  for (const { aggregateId, timeUs } of ids) {
    if (blockOfAggregate(aggregateId) !== block) {
      block = blockOfAggregate(aggregateId);
      orders = takerOrders(seed, listing, block);
    }
    const order = orders[aggregateId - firstAggregateIdOf(block)];
    if (order) yield { ...order, timeUs };
  }
}
