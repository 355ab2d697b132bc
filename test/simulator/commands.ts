// The control calls themselves, on the parts of one running simulator: what HTTP carries out and tests in process call.
import { sendBurst } from './burst.ts';
import type { Connection } from './connection.ts';
import { ControlError } from './control-error.ts';
import type {
  Burst,
  ConnectionState,
  FrameFault,
  ListingRequest,
  MadeTrade,
  ReplayState,
  RestFault,
  SentFrame,
  Settings,
  SimulatorControl,
  SimulatorState,
} from './control-types.ts';
import type { Exchange, ExchangeServices, Spelling } from './exchange.ts';
import { listingOf } from './listings.ts';
import type { TimedOrder } from './market.ts';
import type { Replay } from './replay.ts';
import type { RestCounts } from './rest-counts.ts';
import type { RestFaults } from './rest-faults.ts';
import { shortText } from './text.ts';
import type { Listing } from './trades.ts';

export interface Parts extends ExchangeServices {
  /** As it was asked for: the defaults, and what was set for all exchanges. */
  settings: Settings;
  exchanges: Exchange[];
  restFaults: RestFaults;
  restCounts: RestCounts;
  replay: Replay;
  /** The last closed connections, oldest first. */
  closed: ConnectionState[];
}

/** What reset() goes back to. */
export interface Initial {
  seed: string;
  tradesPerSecond: number;
  listings: Listing[];
  settings: Settings;
  /** In the order of the exchanges. */
  exchangeSettings: Settings[];
}

/** How `made` writes without an exchange. */
const plain: Spelling = {
  symbol: (listing) => listing.symbol,
  id: String,
  price: (_, priceE8) => shortText(priceE8),
  quantity: (_, quantityE8) => shortText(quantityE8),
};

export class Commands implements SimulatorControl {
  /** Whether connection attempts are let in. */
  accepting = true;
  #parts: Parts;
  #initial: Initial;

  constructor(parts: Parts, initial: Initial) {
    this.#parts = parts;
    this.#initial = initial;
    this.#list(initial.listings);
  }

  async state(): Promise<SimulatorState> {
    const { clock, exchanges, frameFaults, ledger, market, refused, replay, restCounts, settings, closed } =
      this.#parts;
    const open = exchanges.flatMap((exchange) =>
      exchange.connections().map((connection) => connection.state(exchange.subscriptions(connection))),
    );
    return {
      nowMs: Math.floor(clock.nowUs() / 1000),
      seed: this.#initial.seed,
      paused: market.paused,
      accepting: this.accepting,
      tradesPerSecond: market.tradesPerSecond,
      skippedMs: market.skippedMs,
      symbols: market.activity(),
      connections: [...open, ...closed],
      ledger: ledger.state(),
      replay: replay.state(),
      clockSkewMs: market.exchangeUs(0) / 1000,
      refusedSymbols: [...refused],
      frameFaults: frameFaults.state(),
      rest: restCounts.state(),
      settings: { ...settings },
    };
  }

  async *sent(filter: { connection?: number; symbol?: string; partial?: boolean } = {}): AsyncGenerator<SentFrame> {
    const { frames, framesNotKept, bytesMax } = this.#parts.ledger.state();
    if (framesNotKept > 0 && !filter.partial) {
      const kept = `it kept the first ${frames} frames, within its ${bytesMax} bytes`;
      const advice = 'raise its maximum, or ask with partial=true';
      throw new ControlError(507, `the ledger is incomplete: ${kept}, and not the ${framesNotKept} after; ${advice}`);
    }
    yield* this.#parts.ledger.read(filter.connection, filter.symbol);
  }

  async *made(filter: { symbol?: string; exchange?: string } = {}): AsyncGenerator<MadeTrade> {
    const { market } = this.#parts;
    const spelling = filter.exchange === undefined ? plain : this.#exchange(filter.exchange).spelling;
    if (market.ordersForgotten > 0) {
      throw new ControlError(507, `made: the times of ${market.ordersForgotten} orders are forgotten; reset earlier`);
    }
    for (const { listing, order } of market.made(filter.symbol)) {
      for (const [fill, quantityE8] of order.quantitiesE8.entries()) {
        yield {
          symbol: spelling.symbol(listing),
          id: spelling.id(order.firstId + fill),
          price: spelling.price(listing, order.priceE8),
          quantity: spelling.quantity(listing, quantityE8),
          takerSide: order.buyerIsMaker ? 'sell' : 'buy',
          timeUs: order.timeUs,
        };
      }
    }
  }

  async setRate({ tradesPerSecond, symbol }: { tradesPerSecond: number | null; symbol?: string }): Promise<void> {
    this.#requireListed(symbol);
    if (tradesPerSecond === null && symbol === undefined) {
      throw new ControlError(
        400,
        'tradesPerSecond: is null; that returns one symbol to the shared rate: name the symbol',
      );
    }
    this.#parts.market.setRate(tradesPerSecond, symbol);
  }

  async pause(): Promise<void> {
    this.#parts.market.setPaused(true);
  }

  async resume(): Promise<void> {
    this.#parts.market.setPaused(false);
  }

  async burst({ trades, symbol }: { trades: number; symbol?: string }): Promise<Burst> {
    this.#requireListed(symbol);
    const { clock, market } = this.#parts;
    const publish = (listing: Listing, order: TimedOrder) => this.publish(listing, order);
    return sendBurst(trades, symbol, { clock, market, connections: this.connections(), publish });
  }

  async setSymbols({ add = [], remove = [] }: { add?: ListingRequest[]; remove?: string[] }): Promise<void> {
    for (const symbol of remove) this.#requireListed(symbol);
    const listings = add.map(({ symbol, baseAsset, quoteAsset, status }) => {
      try {
        return listingOf(symbol, { baseAsset, quoteAsset }, status ?? 'TRADING');
      } catch (error) {
        throw new ControlError(400, error instanceof Error ? error.message : String(error));
      }
    });
    for (const symbol of remove) this.#parts.market.unlist(symbol);
    this.#list(listings);
  }

  async cut({ connection, code, reason }: { connection?: number; code?: number; reason?: string } = {}): Promise<void> {
    const selected = this.#selected(connection);
    if (code === undefined) await Promise.all(selected.map((one) => one.cut()));
    else for (const one of selected) one.close(code, reason ?? '');
  }

  async stall({ stalled, connection }: { stalled: boolean; connection?: number }): Promise<void> {
    for (const one of this.#selected(connection)) one.setStalled(stalled);
  }

  async setAccepting({ accepting }: { accepting: boolean }): Promise<void> {
    this.accepting = accepting;
  }

  async shutDownConnections({ afterMs }: { afterMs: number }): Promise<void> {
    const { clock, exchanges } = this.#parts;
    const leaving = this.connections();
    for (const exchange of exchanges) exchange.sendShutdownNotice();
    clock.after(afterMs, () => {
      for (const connection of leaving) connection.close(1001, 'Server shutdown');
    });
  }

  async setSettings(change: Partial<Settings>): Promise<void> {
    Object.assign(this.#parts.settings, change);
    for (const exchange of this.#parts.exchanges) Object.assign(exchange.settings, change);
    for (const connection of this.connections()) connection.applySettings();
  }

  async addRestFault(fault: RestFault): Promise<void> {
    this.#parts.restFaults.add(fault);
  }

  async addFrameFault(fault: FrameFault): Promise<void> {
    if (fault.exchange !== undefined) this.#exchange(fault.exchange);
    this.#parts.frameFaults.add(fault);
  }

  async refuseSymbols({ symbols }: { symbols: string[] }): Promise<void> {
    const { refused } = this.#parts;
    refused.clear();
    for (const symbol of symbols) refused.add(symbol);
  }

  async setClockSkew({ ms }: { ms: number }): Promise<void> {
    this.#parts.market.setClockSkew(ms * 1000);
  }

  async resetIds({ symbol }: { symbol: string }): Promise<void> {
    this.#requireListed(symbol);
    this.#parts.market.resetIds(symbol);
  }

  async ban({
    durationMs,
    address,
    exchange,
  }: {
    durationMs: number;
    address?: string;
    exchange?: string;
  }): Promise<void> {
    const untilMs = Math.floor(this.#parts.clock.nowUs() / 1000) + durationMs;
    const banning = exchange === undefined ? this.#parts.exchanges : [this.#exchange(exchange)];
    for (const one of banning) one.ban(address, untilMs);
  }

  async loadRecording(body: Uint8Array): Promise<ReplayState> {
    return this.#parts.replay.load(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }

  async replay({ speed }: { speed: number | 'flat' }): Promise<void> {
    this.#parts.replay.start(speed);
  }

  async reset(): Promise<void> {
    const { exchanges, replay, ledger, market, settings, closed, refused } = this.#parts;
    const { restFaults, restCounts, frameFaults } = this.#parts;
    const { listings, tradesPerSecond, exchangeSettings } = this.#initial;
    await Promise.all(this.connections().map((connection) => connection.cut()));
    replay.reset();
    for (const exchange of exchanges) exchange.reset();
    for (const [index, exchange] of exchanges.entries()) Object.assign(exchange.settings, exchangeSettings[index]);
    restFaults.clear();
    restCounts.clear();
    frameFaults.clear();
    refused.clear();
    ledger.clear();
    market.forgetMade();
    market.setClockSkew(0);
    closed.length = 0;
    this.accepting = true;
    Object.assign(settings, this.#initial.settings);
    for (const { symbol } of market.listings()) {
      if (!listings.some((listing) => listing.symbol === symbol)) market.unlist(symbol);
    }
    this.#list(listings);
    for (const { symbol } of listings) market.setRate(null, symbol);
    market.setRate(tradesPerSecond, undefined);
    market.setPaused(false);
  }

  /** Open ones of all exchanges. */
  connections(): Connection[] {
    return this.#parts.exchanges.flatMap((exchange) => exchange.connections());
  }

  /** Lets every exchange tell its subscribers. */
  publish(listing: Listing, order: TimedOrder): void {
    for (const exchange of this.#parts.exchanges) exchange.publish(listing, order);
  }

  #exchange(id: string): Exchange {
    const found = this.#parts.exchanges.find((exchange) => exchange.id === id);
    if (found) return found;
    const known = this.#parts.exchanges.map((exchange) => exchange.id).join(', ');
    throw new ControlError(400, `exchange: '${id}' is not simulated; simulated are ${known}`);
  }

  #list(listings: Listing[]): void {
    for (const listing of listings) this.#parts.market.list(listing, this.#parts.clock.nowUs());
  }

  #selected(id: number | undefined): Connection[] {
    const open = this.connections();
    const connections = open.filter((connection) => id === undefined || connection.id === id);
    if (id === undefined || connections.length > 0) return connections;
    throw new ControlError(
      404,
      `connection: ${id} is not open; open are ${open.map((one) => one.id).join(', ') || 'none'}`,
    );
  }

  #requireListed(symbol: string | undefined): void {
    if (symbol === undefined || this.#parts.market.listing(symbol)) return;
    const listed = this.#parts.market.listings().map((listing) => listing.symbol);
    throw new ControlError(400, `symbol: '${symbol}' is not listed; listed are ${listed.join(', ')}`);
  }
}
