// The one file that knows the order: listings -> links -> frame -> parse -> symbols -> records -> producer, and
// backfill for what the links did not bring. A standby stops after parse and keeps the frames; an owner goes on.
import type { Logger } from '../runtime/log.ts';
import { backfillGaps, type Page } from './backfill.ts';
import { Budget } from './budget.ts';
import type { Exchange, Parsed } from './exchanges/exchange.ts';
import type { Connection } from './link.ts';
import { Links } from './links.ts';
import { type Round, watchListings } from './listings.ts';
import type { Metrics } from './metrics.ts';
import type { Producer, ProducerRecord } from './producer/producer.ts';
import type { Received, Records } from './records.ts';
import type { StandbyBuffer } from './standby-buffer.ts';
import type { Status } from './status.ts';
import type { Job, Symbols, Written } from './symbols.ts';

/** One line in this time about frames that cannot be read; the metric and the topics have all of them. */
const unreadableLogMsMin = 10_000;

export interface FeedOptions {
  exchangeId: string;
  exchange: Exchange;
  webSocketUrl: string;
  restUrl: string;
  names: string[];
  symbols: Symbols;
  records: Records;
  /** What it reads as a standby. */
  kept: StandbyBuffer<Received>;
  producer: Producer;
  /** Whether there is a topic for frames that cannot be read; without it only the raw topic has them. */
  hasDeadLetters: () => boolean;
  status: Status;
  metrics: Metrics;
  log: Logger;
  /** Microseconds since 1970. */
  nowUs: () => number;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #links: Links;
  readonly #backfills: Budget;
  readonly #subscribed = Promise.withResolvers<void>();
  /** What had been written when this worker became the owner, by symbol. */
  #written: Written = new Map();
  /** Aborted when it is the owner no longer; null: a standby. */
  #owning: AbortController | null = null;
  #repairing: Promise<void> = Promise.resolve();
  #unreadableLoggedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { producer, symbols, status, exchange } = options;
    this.#backfills = new Budget(exchange.backfill?.budget ?? { count: 1, windowMs: 1000 });
    this.#links = new Links({
      ...options,
      room: () => producer.room(),
      onFrame: (frame, connection) => this.#onFrame(frame, connection),
      onInterrupted(interrupted) {
        symbols.interrupt(interrupted);
        const pending = status.symbolsIn('subscribed').filter((symbol) => interrupted.includes(symbol));
        status.setSymbols(pending, 'pending');
      },
      onProblem: (problem) => status.report('connection', problem),
    });
  }

  /** Reads until the signal is aborted; after that nothing is appended to the producer. Begins as a standby. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#followListings(signal);
    this.#owning?.abort();
    await Promise.all([this.#links.ended(), this.#repairing]);
  }

  /** Resolves once a symbol is subscribed. */
  subscribed(): Promise<void> {
    return this.#subscribed.promise;
  }

  /** From now on this worker writes: first what it kept as a standby and nobody has written, then what comes. */
  takeOver(written: Written): void {
    const { exchange, symbols, status, monotonicMs } = this.#options;
    this.#written = written;
    symbols.begin(written, monotonicMs());
    symbols.resume(status.symbolsIn('subscribed'), monotonicMs());
    this.#owning = new AbortController();
    // A full buffer is answered by the next frame that comes; what is kept here is bounded by itself.
    for (const received of this.#options.kept.take())
      this.#append(this.#recordsOf(received, exchange.parse(received.frame)));
    this.#repairing = this.#repair(this.#repairing, this.#owning.signal);
  }

  /** Exchange time of the oldest trade that a standby keeps, milliseconds since 1970; Infinity: it keeps nothing. */
  keptSinceMs(): number {
    const { exchange, kept } = this.#options;
    const oldest = kept.oldest();
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    const parsed = exchange.parse(oldest.frame);
    return parsed.kind === 'trades' ? Math.min(...parsed.trades.map(({ exchangeTimeMs }) => exchangeTimeMs)) : 0;
  }

  /** From now on another worker writes, and knows better what is written. */
  standBy(): void {
    this.#owning?.abort();
    this.#owning = null;
    this.#written = new Map();
    this.#options.symbols.begin(this.#written, this.#options.monotonicMs());
  }

  /** Has a new connection take over from each present one. */
  reconnect(): void {
    this.#links.replace();
  }

  /** Memory is short: ends the connections, so that what was read can be written; the gap is repaired afterwards. */
  shed(why: string): void {
    this.#links.shed(why);
  }

  async #followListings(signal: AbortSignal): Promise<void> {
    const { exchange, restUrl, names, random } = this.#options;
    const options = { listing: exchange.listing, restUrl, symbols: names, random };
    for await (const round of watchListings(options, signal)) this.#links.add(this.#learn(round), signal);
    // Everything is listed; the links go on.
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #learn({ listed, unlisted, problem }: Round): string[] {
    const { exchangeId, symbols, status, monotonicMs, log } = this.#options;
    for (const symbol of unlisted) status.setSymbols([symbol], 'refused', `${symbol} is not listed by ${exchangeId}`);
    if (unlisted.length > 0) log.warn({ symbols: unlisted }, `symbols are not listed by ${exchangeId}`);
    if (problem !== null) log.warn(problem);
    const learned: string[] = [];
    for (const listing of listed) {
      const refusal = symbols.learn(listing, this.#written.get(listing.symbol), monotonicMs());
      status.setSymbols([listing.symbol], refusal === null ? 'pending' : 'refused', refusal ?? '');
      if (refusal === null) learned.push(listing.symbol);
    }
    // Symbols that are already known go on streaming.
    status.report('listings', symbols.names().length === 0 ? problem : null);
    return learned;
  }

  #onFrame(frame: Buffer, connection: Connection): void {
    const { exchange, kept, nowUs, monotonicMs, metrics } = this.#options;
    const parsed = exchange.parse(frame);
    metrics.frames[parsed.kind].inc();
    if (parsed.kind === 'heartbeat') connection.link.heard();
    if (parsed.kind === 'heartbeat' || parsed.kind === 'ignored') return;
    if (parsed.kind !== 'trades' && parsed.kind !== 'unreadable') {
      this.#onAnswer(parsed, connection);
      return;
    }
    if (parsed.kind === 'trades') connection.link.gotTrades(connection);
    const received: Received = { frame, connectionId: connection.id, receivedUs: nowUs() };
    if (this.#owning === null) kept.keep(received, frame.length, monotonicMs());
    else if (!this.#append(this.#recordsOf(received, parsed))) this.#pause(connection);
  }

  /** All of a frame or nothing of it: the raw record, then its trades. */
  #recordsOf(received: Received, parsed: Parsed): ProducerRecord[] {
    const { symbols, records, metrics, monotonicMs } = this.#options;
    if (parsed.kind === 'unreadable') return this.#unreadable(received, parsed.why);
    if (parsed.kind !== 'trades') return [];
    const admitted = symbols.admit(parsed.trades, monotonicMs());
    if (typeof admitted === 'string') return this.#unreadable(received, admitted);
    if (admitted.length < parsed.trades.length) metrics.duplicates.inc(parsed.trades.length - admitted.length);
    const [first] = admitted;
    if (first === undefined) {
      metrics.duplicateFrames.inc();
      return [];
    }
    const written: ProducerRecord[] = [records.raw(received, first.trade.symbol)];
    for (const { trade, canonicalSymbol } of admitted) {
      written.push(records.normalized(trade, canonicalSymbol, received.receivedUs));
    }
    return written;
  }

  #unreadable(received: Received, why: string): ProducerRecord[] {
    const { status, records, metrics, log, monotonicMs, hasDeadLetters } = this.#options;
    status.countError();
    metrics.deadLetters.inc();
    if (monotonicMs() - this.#unreadableLoggedMs >= unreadableLogMsMin) {
      this.#unreadableLoggedMs = monotonicMs();
      const start = received.frame.toString('utf8', 0, 200);
      log.error({ connection: received.connectionId, why, start }, 'a frame cannot be read; it is in the raw topic');
    }
    const raw = records.unreadable(received, why);
    return hasDeadLetters() ? [raw, records.deadLetter(received, why)] : [raw];
  }

  /** @returns whether there is room for more */
  #append(records: readonly ProducerRecord[]): boolean {
    let hasRoom = true;
    for (const record of records) hasRoom = this.#options.producer.append(record);
    return hasRoom;
  }

  #pause({ socket }: Connection): void {
    const { producer, metrics } = this.#options;
    if (socket.isPaused()) return;
    metrics.pauses.inc();
    socket.pause();
    producer.room().then(
      () => socket.resume(),
      () => socket.resume(),
    );
  }

  #onAnswer(parsed: Extract<Parsed, { kind: 'subscribed' | 'rejected' | 'notice' }>, connection: Connection): void {
    const { symbols, status, monotonicMs, log } = this.#options;
    const { subscriptions, link } = connection;
    if (parsed.kind === 'notice') {
      log.warn({ connection: connection.id }, `the exchange is about to end the connection: ${parsed.why}`);
      link.replace('notice', connection);
    } else if (parsed.kind === 'subscribed') {
      const subscribed = subscriptions.answer(parsed.requestId, parsed.symbols);
      symbols.resume(subscribed, monotonicMs());
      status.setSymbols(subscribed, 'subscribed');
      if (subscribed.length > 0) this.#subscribed.resolve();
    } else {
      this.#onRejected(parsed, connection);
    }
  }

  #onRejected({ requestId, symbols, why }: Extract<Parsed, { kind: 'rejected' }>, connection: Connection): void {
    const { status, log } = this.#options;
    const { subscriptions, socket } = connection;
    const refused = subscriptions.refuse(requestId, symbols);
    if (refused.length > 0) {
      status.setSymbols(refused, 'refused', why);
      log.error({ symbols: refused }, `the exchange rejects a subscription: ${why}`);
    }
    const isIdle = subscriptions.unanswered() === 0 && status.symbolsIn('subscribed').length === 0;
    if (isIdle) socket.end({ reason: 'rejected', why: `every subscription was rejected: ${why}` });
  }

  /** @param before the repair of the time before, if this worker was the owner once already */
  async #repair(before: Promise<void>, signal: AbortSignal): Promise<void> {
    await before;
    const { exchange, restUrl, symbols, producer, metrics, log, monotonicMs, random } = this.#options;
    const { backfill } = exchange;
    const onAnswer = ({ entry }: Job, why: string | null) => {
      metrics.backfillRequests.inc({ outcome: why === null ? 'answered' : 'failed' });
      if (why !== null) log.warn({ symbol: entry.listing.symbol }, `missing trades cannot be asked for: ${why}`);
    };
    const options = { backfill, restUrl, symbols, budget: this.#backfills, monotonicMs, random, onAnswer };
    for await (const page of backfillGaps(options, signal)) {
      await producer.room();
      if (!signal.aborted) this.#writePage(page);
    }
  }

  #writePage({ job, trades }: Page): void {
    const { symbols, records, metrics, log, nowUs, monotonicMs } = this.#options;
    const { listing, isSilent } = job.entry;
    const admitted = symbols.fill(job, trades, monotonicMs());
    if (job.entry.isSilent && !isSilent) {
      log.warn({ symbol: listing.symbol }, 'the stream does not bring its trades: another connection subscribes anew');
      this.#links.replaceSilent(listing.symbol);
    }
    const receivedUs = nowUs();
    for (const { trade, canonicalSymbol, text } of admitted) {
      this.#append(records.backfilled(trade, text, canonicalSymbol, receivedUs));
    }
    if (admitted.length === 0) return;
    metrics.backfilled.inc(admitted.length);
    log.info({ symbol: listing.symbol, trades: admitted.length }, 'missing trades were repaired by REST');
  }
}
