// An exchange out of its protocol: sockets, subscribers, heartbeats, and REST with its limits, the same for all of
// them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Connection, ConnectionContext } from './connection.ts';
import type { RestFault } from './control-types.ts';
import type { Exchange, ExchangeServices, Spelling } from './exchange.ts';
import { Hub } from './hub.ts';
import type { TimedOrder } from './market.ts';
import type { Desk, Protocol, RestAnswer, Session, TradeFrame } from './protocol.ts';
import { RestLimits } from './rest-limits.ts';
import { defaultSettings, type Settings } from './settings.ts';
import type { Listing } from './trades.ts';

export class StreamExchange implements Exchange {
  readonly id: string;
  readonly settings: Settings;
  readonly spelling: Spelling;
  #protocol: Protocol;
  #services: ExchangeServices;
  #context: ConnectionContext;
  #hub: Hub<Session>;
  #desk: Desk;
  #limits = new RestLimits();

  constructor(protocol: Protocol, services: ExchangeServices, settings: Partial<Settings>) {
    this.id = protocol.id;
    this.settings = { ...defaultSettings, ...protocol.settings, ...settings };
    this.spelling = protocol.spelling;
    this.#protocol = protocol;
    this.#services = services;
    this.#context = { ...services, exchange: this.id, settings: this.settings };
    this.#hub = new Hub(this.#context, services);
    this.#desk = this.#createDesk();
  }

  owns(path: string): boolean {
    return this.#protocol.paths.includes(path) || this.#protocol.rest.owns(path);
  }

  upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): void {
    const join = (connection: Connection): Session => {
      const session = { connection, topics: new Set<string>(), path: url.pathname, frames: 0, beats: 0 };
      this.#protocol.greet?.(this.#desk, session);
      this.#beatLater(session);
      return session;
    };
    this.#hub.upgrade(request, socket, head, join, (session, text) => this.#protocol.hear(this.#desk, session, text));
  }

  request(request: IncomingMessage, url: URL, response: ServerResponse, fault: RestFault | undefined): void {
    const answer = this.#answer(request, url, fault);
    if (fault?.retryAfterSeconds !== undefined) response.setHeader('retry-after', fault.retryAfterSeconds);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
  }

  publish(listing: Listing, order: TimedOrder): void {
    if (this.#hub.isEmpty) return;
    for (const topic of this.#protocol.topics(listing)) {
      const sessions = this.#hub.subscribers(topic);
      if (!sessions) continue;
      for (const frame of this.#protocol.frames(topic, listing, order, this.#desk.nowUs())) {
        const bytes = this.#protocol.seal ? null : Buffer.from(frame.text);
        for (const session of sessions) {
          if (bytes) session.connection.send(bytes, listing.symbol, frame.firstId, frame.trades);
          else this.#desk.sayTrades(session, listing, frame);
        }
      }
    }
  }

  sendShutdownNotice(): void {
    for (const session of this.#hub.clients()) {
      const notice = this.#protocol.notice(session);
      if (notice !== null) this.#desk.say(session, notice);
    }
  }

  connections(): Connection[] {
    return this.#hub.connections();
  }

  subscriptions(connection: Connection): string[] {
    return this.#hub.subscriptions(connection);
  }

  ban(address: string | undefined, untilMs: number): void {
    this.#limits.ban(address, untilMs);
  }

  reset(): void {
    this.#limits.clear();
    this.#hub.reset();
  }

  #createDesk(): Desk {
    const { clock, market, refused } = this.#services;
    const listing = (symbol: string) => market.listings().find((one) => this.spelling.symbol(one) === symbol);
    const seal = (session: Session, text: string) => {
      const whole = this.#protocol.seal?.(text, session, market.exchangeUs(clock.nowUs())) ?? text;
      if (whole !== text) session.frames++;
      return Buffer.from(whole);
    };
    return {
      market,
      settings: this.settings,
      nowUs: () => market.exchangeUs(clock.nowUs()),
      listing,
      subscribable(symbol) {
        const found = listing(symbol);
        return found && refused.has(found.symbol) ? undefined : found;
      },
      subscribe: (session, topic) => this.#hub.subscribe(session, topic),
      unsubscribe: (session, topic) => this.#hub.unsubscribe(session, topic),
      say: (session, text) => session.connection.send(seal(session, text), null, null),
      sayTrades: (session, of: Listing, { text, firstId, trades }: TradeFrame) =>
        session.connection.send(seal(session, text), of.symbol, firstId, trades),
    };
  }

  /** Ends by itself when the connection does. */
  #beatLater(session: Session): void {
    this.#services.clock.after(this.settings.heartbeatMs, () => {
      if (!session.connection.isOpen) return;
      this.#protocol.beat?.(this.#desk, session);
      session.beats++;
      this.#beatLater(session);
    });
  }

  #answer(request: IncomingMessage, url: URL, fault: RestFault | undefined): RestAnswer {
    const { rest } = this.#protocol;
    if (fault?.status !== undefined) return { ...rest.refusal('failed'), status: fault.status };
    const nowMs = Math.floor(this.#services.clock.nowUs() / 1000);
    const address = request.socket.remoteAddress ?? '';
    if (this.#limits.isBanned(address, nowMs)) return rest.refusal('banned');
    const { kind, count, windowMs } = rest.limit(url.pathname, url.searchParams);
    if (!this.#limits.admit(`${address} ${kind}`, count, windowMs, nowMs)) return rest.refusal('limited');
    const answer = request.method === 'GET' ? rest.answer(url.pathname, url.searchParams, this.#desk) : null;
    return answer ?? { ...rest.refusal('failed'), status: 404 };
  }
}
