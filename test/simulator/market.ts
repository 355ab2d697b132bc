// When trades happen: every symbol has its own schedule by elapsed time, so a slow machine is late but not slower on
// average. Keeps when each taker order was, so that REST can answer any trade again.
import {
  blockOf,
  blockOfAggregate,
  firstAggregateIdOf,
  firstBlock,
  type Listing,
  symbolSeed,
  type TakerOrder,
  takerOrders,
  waitFraction,
} from './trades.ts';

/** A scheduler that is later than this skips the rest, so that a stopped process does not answer with a flood. */
const catchUpUsMax = 2_000_000;
/** Orders per symbol whose time is kept, 8 bytes each: the oldest eighth is forgotten beyond it. */
const orderTimesMax = 2_000_000;
/** Blocks of 32 trades before the start that REST knows: a client that looks back finds something. */
const blocksBeforeStart = 320;

/** A taker order with the time at which it matched, microseconds since 1970. */
export interface TimedOrder extends TakerOrder {
  timeUs: number;
}

export type Publish = (listing: Listing, order: TimedOrder) => void;

export interface SymbolActivity {
  symbol: string;
  status: Listing['status'];
  /** Since start; ids are null before the first trade. */
  trades: number;
  firstId: number | null;
  lastId: number | null;
  tradesPerSecond: number;
}

interface Book {
  listing: Listing;
  seed: number;
  /** Null: an equal share of the total rate. */
  ownRate: number | null;
  /** When the next order is due; null while nothing is scheduled. */
  dueUs: number | null;
  block: number;
  orders: TakerOrder[];
  next: number;
  trades: number;
  firstId: number | null;
  lastId: number | null;
  /** Times of the orders from `timesFrom` (an aggregate id) on. */
  times: number[];
  timesFrom: number;
}

export class Market {
  #books = new Map<string, Book>();
  #unlisted = new Map<string, Book>();
  #seed: string;
  #tradesPerSecond: number;
  #paused = false;
  #skippedUs = 0;

  constructor(seed: string, tradesPerSecond: number) {
    this.#seed = seed;
    this.#tradesPerSecond = tradesPerSecond;
  }

  /** Lists a symbol, or changes its listing; one that was listed before goes on with its ids. */
  list(listing: Listing, nowUs: number): void {
    const known = this.#books.get(listing.symbol) ?? this.#unlisted.get(listing.symbol);
    if (known) {
      known.listing = listing;
      this.#books.set(listing.symbol, known);
      return;
    }
    const seed = symbolSeed(this.#seed, listing.symbol);
    const block = firstBlock(seed);
    const timesFrom = firstAggregateIdOf(block - blocksBeforeStart);
    const before = firstAggregateIdOf(block) - timesFrom;
    // Before the start, orders were 100 ms apart.
    const times = Array.from({ length: before }, (_, index) => nowUs - (before - index) * 100_000);
    const orders = takerOrders(seed, listing, block);
    const book = { listing, seed, ownRate: null, dueUs: null, block, orders, next: 0 };
    this.#books.set(listing.symbol, { ...book, trades: 0, firstId: null, lastId: null, times, timesFrom });
  }

  unlist(symbol: string): void {
    const book = this.#books.get(symbol);
    if (!book) return;
    book.dueUs = null;
    this.#unlisted.set(symbol, book);
    this.#books.delete(symbol);
  }

  listings(): Listing[] {
    return [...this.#books.values()].map((book) => book.listing);
  }

  listing(symbol: string): Listing | undefined {
    return this.#books.get(symbol)?.listing;
  }

  /** Total over all symbols, or of one symbol; null gives a symbol back to the total's equal shares. */
  setRate(tradesPerSecond: number | null, symbol: string | undefined): void {
    if (symbol !== undefined) {
      const book = this.#books.get(symbol);
      if (book) book.ownRate = tradesPerSecond;
    } else if (tradesPerSecond !== null) {
      this.#tradesPerSecond = tradesPerSecond;
    }
    // A wait drawn at the old rate may be hours long.
    for (const book of this.#books.values()) book.dueUs = null;
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    for (const book of this.#books.values()) book.dueUs = null;
  }

  /**
   * Publishes that many trades now, whatever the rate, also while paused: whole orders, so up to 20 more of a symbol.
   */
  burst(trades: number, symbol: string | undefined, nowUs: number, publish: Publish): void {
    const books = this.#trading().filter((book) => symbol === undefined || book.listing.symbol === symbol);
    const share = Math.ceil(trades / Math.max(1, books.length));
    const ends = new Map(books.map((book) => [book, book.trades + share]));
    while (ends.size > 0) {
      for (const [book, end] of ends) {
        if (book.trades >= end) ends.delete(book);
        else publish(book.listing, this.#take(book, nowUs));
      }
    }
  }

  /**
   * Publishes everything that is due.
   * @param tradesMax about as many trades at most; what is left comes with the next call
   */
  advance(nowUs: number, tradesMax: number, publish: Publish): void {
    if (this.#paused) return;
    const trading = this.#trading();
    const share = Math.floor(tradesMax / Math.max(1, trading.length)) + 1;
    for (const book of trading) {
      const rate = this.#rateOf(book, trading);
      const until = book.trades + share;
      if (rate === 0) continue;
      book.dueUs ??= nowUs + this.#waitUs(book, rate);
      if (nowUs - book.dueUs > catchUpUsMax) {
        this.#skippedUs += nowUs - catchUpUsMax - book.dueUs;
        book.dueUs = nowUs - catchUpUsMax;
      }
      while (book.dueUs <= nowUs && book.trades < until) {
        publish(book.listing, this.#take(book, Math.floor(book.dueUs)));
        book.dueUs += this.#waitUs(book, rate);
      }
    }
  }

  /** Orders from an aggregate id on, oldest first; ids that are not there (yet, or any more) are left out. */
  ordersFrom(symbol: string, aggregateId: number, ordersMax: number): TimedOrder[] {
    const book = this.#books.get(symbol);
    if (!book) return [];
    const result: TimedOrder[] = [];
    const end = book.timesFrom + book.times.length;
    let block = -1;
    let orders: TakerOrder[] = [];
    for (let id = Math.max(aggregateId, book.timesFrom); id < end && result.length < ordersMax; id++) {
      if (blockOfAggregate(id) !== block) {
        block = blockOfAggregate(id);
        orders = takerOrders(book.seed, book.listing, block);
      }
      const order = orders[id - firstAggregateIdOf(block)];
      const timeUs = book.times[id - book.timesFrom];
      if (order && timeUs !== undefined) result.push({ ...order, timeUs });
    }
    return result;
  }

  /** The aggregate id of the order that holds a trade, or would hold it. */
  aggregateIdOf(symbol: string, tradeId: number): number {
    const book = this.#books.get(symbol);
    if (!book) return 0;
    const orders = takerOrders(book.seed, book.listing, blockOf(tradeId));
    return orders.findLast((order) => order.firstId <= tradeId)?.aggregateId ?? 0;
  }

  /** The first aggregate id at or after a time. */
  aggregateIdAt(symbol: string, timeUs: number): number {
    const book = this.#books.get(symbol);
    if (!book) return 0;
    let low = 0;
    let high = book.times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((book.times[middle] ?? 0) < timeUs) low = middle + 1;
      else high = middle;
    }
    return book.timesFrom + low;
  }

  /** One more than the newest aggregate id, and one more than the newest trade id. */
  nextIds(symbol: string): { aggregateId: number; tradeId: number } {
    const book = this.#books.get(symbol);
    const order = book?.orders[book.next];
    return { aggregateId: order?.aggregateId ?? 0, tradeId: order?.firstId ?? 0 };
  }

  activity(): SymbolActivity[] {
    const books = [...this.#books.values()];
    const trading = this.#trading();
    return books.map((book) => ({
      symbol: book.listing.symbol,
      status: book.listing.status,
      trades: book.trades,
      firstId: book.firstId,
      lastId: book.lastId,
      tradesPerSecond: book.listing.status === 'TRADING' && !this.#paused ? this.#rateOf(book, trading) : 0,
    }));
  }

  get paused(): boolean {
    return this.#paused;
  }

  get tradesPerSecond(): number {
    return this.#tradesPerSecond;
  }

  /** Schedule that was given up because the machine was too slow, milliseconds over all symbols. */
  get skippedMs(): number {
    return Math.round(this.#skippedUs / 1000);
  }

  #trading(): Book[] {
    return [...this.#books.values()].filter((book) => book.listing.status === 'TRADING');
  }

  #rateOf(book: Book, trading: Book[]): number {
    return book.ownRate ?? this.#tradesPerSecond / trading.length;
  }

  /** Exponential, as of independent takers: orders cluster, the average is the rate. */
  #waitUs(book: Book, rate: number): number {
    const order = book.orders[book.next];
    if (!order) return 0;
    return (-Math.log(waitFraction(book.seed, order.aggregateId)) * order.quantitiesE8.length * 1e6) / rate;
  }

  #take(book: Book, timeUs: number): TimedOrder {
    const order = book.orders[book.next];
    if (!order) throw new Error(`no order ${book.next} in block ${book.block} of ${book.listing.symbol}`);
    book.next++;
    if (book.next === book.orders.length) {
      book.block++;
      book.orders = takerOrders(book.seed, book.listing, book.block);
      book.next = 0;
    }
    if (book.times.length === orderTimesMax) {
      book.times.splice(0, orderTimesMax / 8);
      book.timesFrom += orderTimesMax / 8;
    }
    // A burst takes the present; the schedule may lag behind it.
    const matchedUs = Math.max(timeUs, book.times.at(-1) ?? 0);
    book.times.push(matchedUs);
    book.trades += order.quantitiesE8.length;
    book.firstId ??= order.firstId;
    book.lastId = order.firstId + order.quantitiesE8.length - 1;
    return { ...order, timeUs: matchedUs };
  }
}
