// Keeps one group of symbols connected, over one connection after another; before one ends that can be known to end,
// the next is subscribed and overlaps with it.
import { randomUUID } from 'node:crypto';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/log.ts';
import type { Budget } from './budget.ts';
import type { Exchange } from './exchanges/exchange.ts';
import type { Metrics } from './metrics.ts';
import { sleep } from './retry.ts';
import { type End, openSocket, type Socket } from './socket.ts';
import { answerMsMax, Subscriptions } from './subscriptions.ts';

const reconnectLimits: BackoffLimits = { delayMsBase: 500, delayMsMax: 30_000 };

/** Between two attempts, even where each connection gives trades and then ends: exchanges allow about one a second. */
const connectIntervalMsMin = 1000;

/** The second connection has its subscriptions and the first still reads: what was under way on the first arrives. */
const overlapMs = 2000;

/** A connection is replaced after 90 to 95 % of the life that the exchange gives it, so that not all end at once. */
const lifetimeShare = { least: 0.9, jitter: 0.05 };

/** Why a connection is replaced before it ends: a closed set, because it is a metric's label. */
export type ReplaceReason = 'lifetime' | 'notice' | 'requested' | 'silent';

export interface Connection {
  id: string;
  link: Link;
  socket: Socket;
  subscriptions: Subscriptions;
  /** Every subscription is answered. */
  isSubscribed: boolean;
}

export interface LinkOptions {
  exchange: Exchange;
  webSocketUrl: string;
  /** Of connection attempts, shared with other links. */
  connects: Budget;
  /** Resolves when reading may begin. */
  room: () => Promise<void>;
  onFrame: (frame: Buffer, connection: Connection) => void;
  /** Nobody reads these symbols any more. */
  onInterrupted: (symbols: readonly string[]) => void;
  /** Why the link has no connection, one sentence; null: it has one. */
  onProblem: (problem: string | null) => void;
  metrics: Metrics;
  log: Logger;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #symbols: string[] = [];
  /** One; two while the second takes over. */
  readonly #open = new Set<Connection>();
  #newest: Connection | null = null;
  /** Connections since the last trade; decides how long to wait before the next. */
  #failures = 0;
  #connectedMs = Number.NEGATIVE_INFINITY;
  /** The last connection gave nothing, not even a heartbeat: the next one is no better until it gives something. */
  #isSilent = false;
  #replacement = Promise.withResolvers<ReplaceReason>();
  #aborted: Promise<void> = Promise.resolve();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  symbols(): readonly string[] {
    return this.#symbols;
  }

  /** Subscribes these, too, now and on later connections. */
  async add(symbols: readonly string[]): Promise<void> {
    this.#symbols.push(...symbols);
    await Promise.all([...this.#open].map(({ subscriptions }) => subscriptions.request(symbols)));
  }

  /** A trade came: the exchange works. */
  gotTrades(connection: Connection): void {
    if (connection === this.#newest) this.#failures = 0;
    this.heard();
  }

  /** A trade or a heartbeat came; the answer to a subscription does not show that the stream lives. */
  heard(): void {
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#options.onProblem(null);
  }

  /** Has another connection take over from the given one, if none did yet. */
  replace(reason: ReplaceReason, connection = this.#newest): void {
    if (connection === this.#newest) this.#replacement.resolve(reason);
  }

  /** Ends what is open; the next connection waits for room. */
  end(end: End): void {
    for (const { socket } of this.#open) socket.end(end);
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.#aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    while (!signal.aborted) {
      let connection = await this.#connect(signal);
      if (connection) void this.#subscribe(connection);
      while (connection !== null) connection = await this.#keep(connection, signal);
    }
  }

  /** Waits for its turn, then makes one attempt. */
  async #connect(signal: AbortSignal): Promise<Connection | null> {
    const { exchange, webSocketUrl, connects, room, monotonicMs, random, log } = this.#options;
    const intervalLeftMs = this.#connectedMs + connectIntervalMsMin - monotonicMs();
    await sleep(Math.max(backoffDelayMs(this.#failures++, reconnectLimits, random()), intervalLeftMs, 0), signal);
    await Promise.race([room(), this.#aborted]);
    for (let ms = connects.delayMs(monotonicMs()); ms > 0 && !signal.aborted; ms = connects.delayMs(monotonicMs())) {
      await sleep(ms, signal);
    }
    if (signal.aborted) return null;
    connects.take(monotonicMs());
    this.#connectedMs = monotonicMs();
    const id = randomUUID();
    const url = exchange.connectUrl(webSocketUrl);
    const onFrame = (frame: Buffer) => this.#options.onFrame(frame, connection);
    const onPing = () => this.heard();
    const socket = openSocket({ url, silenceMsMax: exchange.silenceMsMax, onFrame, onPing, monotonicMs, signal });
    const subscriptions = new Subscriptions(exchange, socket, answerMsMax);
    const connection: Connection = { id, link: this, socket, subscriptions, isSubscribed: false };
    this.#open.add(connection);
    this.#newest = connection;
    void socket.ended.then((end) => this.#onEnd(connection, end));
    if (!(await socket.opened)) return null;
    if (!this.#isSilent) this.#options.onProblem(null);
    log.info({ connection: id, url, symbols: this.#symbols.length }, 'connected');
    this.#keepAlive(connection);
    return connection;
  }

  /** @returns the connection that took over; null: it ended before one did */
  async #keep(connection: Connection, signal: AbortSignal): Promise<Connection | null> {
    const { socket } = connection;
    const ended = socket.ended.then(() => null);
    const stop = new AbortController();
    const reason = await Promise.race([ended, this.#replacement.promise, this.#lifetime(stop.signal)]);
    stop.abort();
    if (reason === null) return null;
    this.#replacement = Promise.withResolvers();
    this.#options.log.info({ connection: connection.id, reason }, 'another connection takes over');
    while (!signal.aborted) {
      const next = await this.#connect(signal);
      if (next && (await this.#subscribe(next))) {
        await Promise.race([ended, sleep(overlapMs, signal)]);
        this.#options.metrics.replacements.inc({ reason });
        socket.end({ reason: 'replaced', why: 'another connection took over' });
        return next;
      }
      if (!this.#open.has(connection)) return null;
    }
    return null;
  }

  async #subscribe(connection: Connection): Promise<boolean> {
    connection.isSubscribed = await connection.subscriptions.request(this.#symbols);
    return connection.isSubscribed;
  }

  async #lifetime(signal: AbortSignal): Promise<ReplaceReason> {
    const { exchange, random } = this.#options;
    const { lifetimeMs } = exchange.limits;
    const { least, jitter } = lifetimeShare;
    if (lifetimeMs === null) return new Promise(() => {});
    await sleep(lifetimeMs * (least + jitter * random()), signal);
    return 'lifetime';
  }

  #keepAlive({ socket, subscriptions }: Connection): void {
    const { keepalive } = this.#options.exchange;
    if (keepalive === null) return;
    const timer = setInterval(() => subscriptions.send(keepalive.text), keepalive.intervalMs);
    void socket.ended.then(() => clearInterval(timer));
  }

  #onEnd(connection: Connection, { reason, why }: End): void {
    const { metrics, log, onInterrupted, onProblem } = this.#options;
    this.#open.delete(connection);
    if (reason === 'stale') this.#isSilent = true;
    metrics.disconnects.inc({ reason });
    const isExpected = reason === 'shutdown' || reason === 'replaced';
    log[isExpected ? 'info' : 'warn']({ connection: connection.id, reason }, why);
    if (![...this.#open].some(({ isSubscribed }) => isSubscribed)) onInterrupted(this.#symbols);
    if (this.#open.size === 0) onProblem(why);
  }
}
