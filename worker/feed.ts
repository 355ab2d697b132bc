// The one file that knows the order: listings -> socket -> subscriptions -> frame -> parse -> records -> producer.
import { randomUUID } from 'node:crypto';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/log.ts';
import type { Exchange } from './exchanges/exchange.ts';
import { type Round, watchListings } from './listings.ts';
import type { Metrics } from './metrics.ts';
import type { Producer, ProducerRecord } from './producer/producer.ts';
import type { Received, Records } from './records.ts';
import { sleep } from './retry.ts';
import { openSocket, type Socket } from './socket.ts';
import type { Status } from './status.ts';
import { answerMsMax, Subscriptions } from './subscriptions.ts';
import type { Trade } from './trade.ts';

const reconnectLimits: BackoffLimits = { delayMsBase: 500, delayMsMax: 30_000 };

/** Between two attempts, even where each connection gives trades and then ends: exchanges allow 300 in 5 minutes. */
const connectIntervalMsMin = 1000;

/** One line in this time about frames that cannot be read; the metric and the topic have all of them. */
const unreadableLogMsMin = 10_000;

export interface FeedOptions {
  exchangeId: string;
  exchange: Exchange;
  webSocketUrl: string;
  restUrl: string;
  symbols: string[];
  records: Records;
  producer: Producer;
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

interface Connection {
  id: string;
  socket: Socket;
  subscriptions: Subscriptions;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #canonicalSymbols = new Map<string, string>();
  readonly #listed = Promise.withResolvers<void>();
  #connection: Connection | null = null;
  /** Connections since the last trade; decides how long to wait before the next. */
  #failures = 0;
  #connectedMs = Number.NEGATIVE_INFINITY;
  #unreadableLoggedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Reads until the signal is aborted; after that nothing is appended to the producer. */
  async run(signal: AbortSignal): Promise<void> {
    const { producer, monotonicMs, random } = this.#options;
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const listings = this.#followListings(signal);
    await Promise.race([this.#listed.promise, aborted]);
    while (!signal.aborted) {
      const intervalLeftMs = this.#connectedMs + connectIntervalMsMin - monotonicMs();
      await sleep(Math.max(backoffDelayMs(this.#failures++, reconnectLimits, random()), intervalLeftMs, 0), signal);
      await Promise.race([producer.room(), aborted]);
      if (!signal.aborted) await this.#connect(signal);
    }
    await listings;
  }

  async #followListings(signal: AbortSignal): Promise<void> {
    const { exchange, restUrl, symbols, random } = this.#options;
    for await (const round of watchListings({ listing: exchange.listing, restUrl, symbols, random }, signal)) {
      const listed = this.#learn(round);
      if (listed.length === 0) continue;
      this.#listed.resolve();
      await this.#connection?.subscriptions.request(listed, signal);
    }
  }

  #learn({ listed, unlisted, problem }: Round): string[] {
    const { exchangeId, status, log } = this.#options;
    for (const { symbol, canonicalSymbol } of listed) this.#canonicalSymbols.set(symbol, canonicalSymbol);
    for (const symbol of unlisted) status.setSymbols([symbol], 'refused', `${symbol} is not listed by ${exchangeId}`);
    if (unlisted.length > 0) log.warn({ symbols: unlisted }, `symbols are not listed by ${exchangeId}`);
    if (problem !== null) log.warn(problem);
    // Symbols that are already known go on streaming.
    status.report('listings', this.#canonicalSymbols.size === 0 ? problem : null);
    const symbols = listed.map(({ symbol }) => symbol);
    status.setSymbols(symbols, 'pending');
    return symbols;
  }

  /** One connection, from its first byte to its end. */
  async #connect(signal: AbortSignal): Promise<void> {
    const { exchange, webSocketUrl, monotonicMs, status, metrics, log } = this.#options;
    this.#connectedMs = monotonicMs();
    const id = randomUUID();
    const url = exchange.connectUrl(webSocketUrl);
    const onFrame = (frame: Buffer) => this.#onFrame(frame, connection);
    const socket = openSocket({ url, silenceMsMax: exchange.silenceMsMax, onFrame, monotonicMs, signal });
    const connection: Connection = { id, socket, subscriptions: new Subscriptions(exchange, socket, answerMsMax) };
    const symbols = [...this.#canonicalSymbols.keys()];
    if (await socket.opened) {
      this.#connection = connection;
      status.report('connection', null);
      log.info({ connection: id, url, symbols: symbols.length }, 'connected');
      await connection.subscriptions.request(symbols, signal);
    }
    const end = await socket.ended;
    this.#connection = null;
    status.setSymbols(status.symbolsIn('subscribed'), 'pending');
    status.report('connection', end.why);
    metrics.disconnects.inc({ reason: end.reason });
    log[end.reason === 'shutdown' ? 'info' : 'warn']({ connection: id, reason: end.reason }, end.why);
  }

  #onFrame(frame: Buffer, connection: Connection): void {
    const { exchange, nowUs, metrics, log } = this.#options;
    const received: Received = { frame, connectionId: connection.id, receivedUs: nowUs() };
    const parsed = exchange.parse(frame);
    metrics.frames.inc({ kind: parsed.kind });
    switch (parsed.kind) {
      case 'trades':
        this.#write(this.#recordsOf(received, parsed.trades), connection);
        break;
      case 'unreadable':
        this.#write([this.#unreadable(received, parsed.why)], connection);
        break;
      case 'subscribed':
        this.#options.status.setSymbols(connection.subscriptions.answer(parsed.requestId), 'subscribed');
        break;
      case 'rejected':
        this.#onRejected(connection, parsed.requestId, parsed.why);
        break;
      case 'notice':
        log.warn({ connection: connection.id }, `the exchange is about to end the connection: ${parsed.why}`);
    }
  }

  /** All of a frame or nothing of it: the raw record, then its trades. */
  #recordsOf(received: Received, trades: Trade[]): ProducerRecord[] {
    const { records } = this.#options;
    const [first] = trades;
    if (first === undefined) return [];
    const normalized: ProducerRecord[] = [];
    for (const trade of trades) {
      const canonicalSymbol = this.#canonicalSymbols.get(trade.symbol);
      if (canonicalSymbol === undefined) {
        return [this.#unreadable(received, `trade of ${trade.symbol}, which was not asked for`)];
      }
      normalized.push(records.normalized(trade, canonicalSymbol, received.receivedUs));
    }
    this.#failures = 0;
    return [records.raw(received, first.symbol), ...normalized];
  }

  #unreadable(received: Received, why: string): ProducerRecord {
    const { status, records, log, monotonicMs } = this.#options;
    status.countError();
    if (monotonicMs() - this.#unreadableLoggedMs >= unreadableLogMsMin) {
      this.#unreadableLoggedMs = monotonicMs();
      const start = received.frame.toString('utf8', 0, 200);
      log.error({ connection: received.connectionId, why, start }, 'a frame cannot be read; it is in the raw topic');
    }
    return records.unreadable(received, why);
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

  #onRejected({ socket, subscriptions }: Connection, requestId: string | null, why: string): void {
    const { status, log } = this.#options;
    const symbols = subscriptions.answer(requestId);
    status.setSymbols(symbols, 'refused', why);
    log.error({ symbols }, `the exchange rejects a subscription: ${why}`);
    const isIdle = subscriptions.unanswered() === 0 && status.symbolsIn('subscribed').length === 0;
    if (isIdle) socket.end({ reason: 'rejected', why: `every subscription was rejected: ${why}` });
  }
}
