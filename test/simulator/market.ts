// When trades happen: every symbol has its own schedule by elapsed time, so a slow machine is late but not slower on
// average. Keeps when each taker order was, so that REST can answer any trade again.
import { OrderHistory, type TimedOrder, timedOrders } from './order-history.ts';
import {
  blockOf,
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
/** Between two orders of a burst, so that a page of REST trades never ends within one millisecond. */
const burstStepUs = 4;
/** Ids begin here after a reset: lower than any first block, and not 0, which some clients take for none. */
const resetBlock = 1;
/** Blocks of 32 trades before the start that REST knows: a client that looks back finds something. */
const blocksBeforeStart = 320;

export type { TimedOrder };
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
  history: OrderHistory;
}

export class Market {
  #books = new Map<string, Book>();
  #unlisted = new Map<string, Book>();
  #seed: string;
  #tradesPerSecond: number;
  #paused = false;
  #skippedUs = 0;
  #skewUs = 0;
  /** Whether the exchange's clock was never set back. */
  #isRising = true;

  constructor(seed: string, tradesPerSecond: number) {
    this.#seed = seed;
    this.#tradesPerSecond = tradesPerSecond;
  }

  /** Lists a symbol, or changes its listing; one that was listed before goes on with its ids. */
  list(listing: Listing, nowUs: number): void {
    const known = this.#books.get(listing.symbol) ?? this.#unlisted.get(listing.symbol);
    if (known) {
      known.listing = listing;
      this.#unlisted.delete(listing.symbol);
      this.#books.set(listing.symbol, known);
      return;
    }
    const seed = symbolSeed(this.#seed, listing.symbol);
    const block = firstBlock(seed);
    const timesFrom = firstAggregateIdOf(block - blocksBeforeStart);
    const before = firstAggregateIdOf(block) - timesFrom;
    // Before the start, orders were 100 ms apart.
    const times = Array.from({ length: before }, (_, index) => this.exchangeUs(nowUs) - (before - index) * 100_000);
    const orders = takerOrders(seed, listing, block);
    const idle = { ownRate: null, dueUs: null, next: 0, trades: 0, firstId: null, lastId: null };
    const history = new OrderHistory(timesFrom, times);
    this.#books.set(listing.symbol, { ...idle, listing, seed, block, orders, history });
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

  /** The time that the exchange's own clock shows. */
  exchangeUs(nowUs: number): number {
    return nowUs + this.#skewUs;
  }

  /** From here on the exchanges' clock is that much ahead of ours; of trades already made nothing changes. */
  setClockSkew(skewUs: number): void {
    if (skewUs < this.#skewUs) this.#isRising = false;
    this.#skewUs = skewUs;
  }

  /** Lets the symbol's ids begin again, far below all that it had. */
  resetIds(symbol: string): void {
    const book = this.#books.get(symbol);
    if (!book) return;
    book.block = resetBlock;
    book.orders = takerOrders(book.seed, book.listing, book.block);
    book.next = 0;
    book.history.beginEra(firstAggregateIdOf(resetBlock));
  }

  /**
   * Publishes that many trades now, whatever the rate, also while paused: whole orders, so up to 20 more of a symbol.
   */
  burst(trades: number, symbol: string | undefined, nowUs: number, publish: Publish): void {
    const books = this.#trading().filter((book) => symbol === undefined || book.listing.symbol === symbol);
    const share = Math.ceil(trades / Math.max(1, books.length));
    const ends = new Map(books.map((book) => [book, book.trades + share]));
    for (let step = 0; ends.size > 0; step++) {
      for (const [book, end] of ends) {
        if (book.trades >= end) ends.delete(book);
        else publish(book.listing, this.#take(book, nowUs + step * burstStepUs));
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
    const { from, end } = book.history;
    const first = Math.max(aggregateId, from);
    const ids = Array.from({ length: Math.max(0, Math.min(ordersMax, end - first)) }, (_, index) => first + index);
    return [
      ...timedOrders(
        book.seed,
        book.listing,
        ids.map((id) => ({ aggregateId: id, timeUs: book.history.timeUs(id) ?? 0 })),
      ),
    ];
  }

  /** Every order since the start or forgetMade(), whether or not anybody listened, by symbol. */
  *made(symbol: string | undefined): Generator<{ listing: Listing; order: TimedOrder }> {
    for (const book of this.#all()) {
      const { listing, history } = book;
      if (symbol !== undefined && listing.symbol !== symbol) continue;
      for (const order of timedOrders(book.seed, listing, history.made())) yield { listing, order };
    }
  }

  /** Orders that made() leaves out because the memory for them was full. */
  get ordersForgotten(): number {
    return this.#all().reduce((sum, book) => sum + book.history.ordersForgotten, 0);
  }

  forgetMade(): void {
    for (const book of this.#all()) book.history.forgetMade();
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
    return this.#books.get(symbol)?.history.firstAt(timeUs, this.#isRising) ?? 0;
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

  #all(): Book[] {
    return [...this.#books.values(), ...this.#unlisted.values()];
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
    // A burst takes the present; the schedule may lag behind it. Only a clock that was set back makes times fall.
    const exchangeUs = this.exchangeUs(timeUs);
    const matchedUs = this.#isRising ? Math.max(exchangeUs, book.history.lastUs + 1) : exchangeUs;
    book.history.append(matchedUs);
    book.trades += order.quantitiesE8.length;
    book.firstId ??= order.firstId;
    book.lastId = order.firstId + order.quantitiesE8.length - 1;
    return { ...order, timeUs: matchedUs };
  }
}
