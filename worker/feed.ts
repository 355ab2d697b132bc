// The one file that knows the order: listings -> links -> frame -> parse -> symbols -> records -> producer, and
// backfill for what the links did not bring.
import type { Logger } from '../runtime/log.ts';
import { backfillGaps, type Page } from './backfill.ts';
import { Budget } from './budget.ts';
import type { Cursor } from './continuity.ts';
import type { Exchange, Parsed } from './exchanges/exchange.ts';
import { type Connection, Link } from './link.ts';
import { type Round, watchListings } from './listings.ts';
import type { Metrics } from './metrics.ts';
import type { Producer, ProducerRecord } from './producer/producer.ts';
import type { Received, Records } from './records.ts';
import type { Status } from './status.ts';
import type { Job, Symbols } from './symbols.ts';

/** One line in this time about frames that cannot be read; the metric and the topics have all of them. */
const unreadableLogMsMin = 10_000;

export interface FeedOptions {
  exchangeId: string;
  exchange: Exchange;
  webSocketUrl: string;
  restUrl: string;
  names: string[];
  symbols: Symbols;
  /** What was written before this worker started, by symbol. */
  cursors: ReadonlyMap<string, Cursor>;
  records: Records;
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
  readonly #connects: Budget;
  /** With why each has no connection, null: it has one. */
  readonly #links = new Map<Link, string | null>();
  readonly #running: Promise<void>[] = [];
  #unreadableLoggedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { count, windowMs } = options.exchange.limits.connects;
    // Others behind the same address connect, too.
    this.#connects = new Budget({ count: Math.max(1, Math.floor(count / 2)), windowMs });
  }

  /** Reads until the signal is aborted; after that nothing is appended to the producer. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followListings(signal), this.#repair(signal)]);
    await Promise.all(this.#running);
  }

  /** Has a new connection take over from each present one. */
  reconnect(): void {
    for (const link of this.#links.keys()) link.replace('requested');
  }

  /** Memory is short: ends the connections, so that what was read can be written; the gap is repaired afterwards. */
  shed(why: string): void {
    for (const link of this.#links.keys()) link.end({ reason: 'memory', why });
  }

  async #followListings(signal: AbortSignal): Promise<void> {
    const { exchange, restUrl, names, random } = this.#options;
    const options = { listing: exchange.listing, restUrl, symbols: names, random };
    for await (const round of watchListings(options, signal)) this.#connect(this.#learn(round), signal);
    // Everything is listed; the links go on.
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #learn({ listed, unlisted, problem }: Round): string[] {
    const { exchangeId, cursors, symbols, status, monotonicMs, log } = this.#options;
    for (const symbol of unlisted) status.setSymbols([symbol], 'refused', `${symbol} is not listed by ${exchangeId}`);
    if (unlisted.length > 0) log.warn({ symbols: unlisted }, `symbols are not listed by ${exchangeId}`);
    if (problem !== null) log.warn(problem);
    const learned: string[] = [];
    for (const listing of listed) {
      const refusal = symbols.learn(listing, cursors.get(listing.symbol), monotonicMs());
      status.setSymbols([listing.symbol], refusal === null ? 'pending' : 'refused', refusal ?? '');
      if (refusal === null) learned.push(listing.symbol);
    }
    // Symbols that are already known go on streaming.
    status.report('listings', symbols.names().length === 0 ? problem : null);
    return learned;
  }

  /** Adds the symbols to the links, as many to each as the exchange allows. */
  #connect(names: string[], signal: AbortSignal): void {
    const { symbolsPerConnection } = this.#options.exchange.limits;
    for (let rest = names; rest.length > 0; ) {
      let link = [...this.#links.keys()].find((candidate) => candidate.symbols().length < symbolsPerConnection);
      const isNew = link === undefined;
      link ??= this.#createLink();
      const part = rest.slice(0, symbolsPerConnection - link.symbols().length);
      rest = rest.slice(part.length);
      this.#running.push(link.add(part));
      if (isNew) this.#running.push(link.run(signal));
    }
  }

  #createLink(): Link {
    const { exchange, webSocketUrl, producer, symbols, status, metrics, log, monotonicMs, random } = this.#options;
    const link = new Link({
      exchange,
      webSocketUrl,
      connects: this.#connects,
      room: () => producer.room(),
      onFrame: (frame, connection) => this.#onFrame(frame, connection),
      onInterrupted(interrupted) {
        symbols.interrupt(interrupted);
        const pending = status.symbolsIn('subscribed').filter((symbol) => interrupted.includes(symbol));
        status.setSymbols(pending, 'pending');
      },
      onProblem: (problem) => {
        this.#links.set(link, problem);
        status.report('connection', [...this.#links.values()].find((one) => one !== null) ?? null);
      },
      metrics,
      log,
      monotonicMs,
      random,
    });
    this.#links.set(link, 'not connected yet');
    return link;
  }

  #onFrame(frame: Buffer, connection: Connection): void {
    const { exchange, nowUs, metrics } = this.#options;
    const parsed = exchange.parse(frame);
    metrics.frames[parsed.kind].inc();
    if (parsed.kind === 'heartbeat' || parsed.kind === 'ignored') return;
    const received: Received = { frame, connectionId: connection.id, receivedUs: nowUs() };
    if (parsed.kind === 'trades') this.#write(this.#recordsOf(received, parsed.trades, connection), connection);
    else if (parsed.kind === 'unreadable') this.#write(this.#unreadable(received, parsed.why), connection);
    else this.#onAnswer(parsed, connection);
  }

  /** All of a frame or nothing of it: the raw record, then its trades. */
  #recordsOf(received: Received, trades: Extract<Parsed, { kind: 'trades' }>['trades'], connection: Connection) {
    const { symbols, records, metrics, monotonicMs } = this.#options;
    const admitted = symbols.admit(trades, monotonicMs());
    if (typeof admitted === 'string') return this.#unreadable(received, admitted);
    connection.link.gotTrades(connection);
    if (admitted.length < trades.length) metrics.duplicates.inc(trades.length - admitted.length);
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

  #write(records: ProducerRecord[], { socket }: Connection): void {
    const { producer, metrics } = this.#options;
    let isFull = false;
    for (const record of records) isFull = !producer.append(record);
    if (!isFull || socket.isPaused()) return;
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

  async #repair(signal: AbortSignal): Promise<void> {
    const { exchange, restUrl, symbols, producer, metrics, log, monotonicMs, random } = this.#options;
    const { backfill } = exchange;
    const budget = new Budget(backfill?.budget ?? { count: 1, windowMs: 1000 });
    const onAnswer = ({ entry }: Job, why: string | null) => {
      metrics.backfillRequests.inc({ outcome: why === null ? 'answered' : 'failed' });
      if (why !== null) log.warn({ symbol: entry.listing.symbol }, `missing trades cannot be asked for: ${why}`);
    };
    const options = { backfill, restUrl, symbols, budget, monotonicMs, random, onAnswer };
    for await (const page of backfillGaps(options, signal)) {
      await producer.room();
      if (!signal.aborted) this.#writePage(page);
    }
  }

  #writePage({ job, trades }: Page): void {
    const { symbols, records, producer, metrics, log, nowUs, monotonicMs } = this.#options;
    const admitted = symbols.fill(job, trades, monotonicMs());
    const receivedUs = nowUs();
    for (const { trade, canonicalSymbol, text } of admitted) {
      for (const record of records.backfilled(trade, text, canonicalSymbol, receivedUs)) producer.append(record);
    }
    if (admitted.length === 0) return;
    metrics.backfilled.inc(admitted.length);
    log.info({ symbol: job.entry.listing.symbol, trades: admitted.length }, 'missing trades were repaired by REST');
  }
}
