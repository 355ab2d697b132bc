// The control calls themselves, on the parts of one running simulator: what HTTP carries out and tests in process call.
import type { Binance } from './binance/binance.ts';
import { binanceListing } from './binance/symbols.ts';
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import { ControlError } from './control-error.ts';
import type {
  ConnectionState,
  ListingRequest,
  ReplayState,
  RestFault,
  SentFrame,
  Settings,
  SimulatorControl,
  SimulatorState,
} from './control-types.ts';
import { inFewWrites } from './exchange.ts';
import type { Ledger } from './ledger.ts';
import type { Market } from './market.ts';
import type { Replay } from './replay.ts';
import type { Listing } from './trades.ts';

export interface Parts {
  clock: Clock;
  settings: Settings;
  ledger: Ledger;
  market: Market;
  exchange: Binance;
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
}

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
    const { clock, exchange, ledger, market, replay, settings, closed } = this.#parts;
    const open = exchange.connections().map((connection) => connection.state(exchange.subscriptions(connection)));
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

  async burst({ trades, symbol }: { trades: number; symbol?: string }): Promise<void> {
    this.#requireListed(symbol);
    const { clock, exchange, market } = this.#parts;
    inFewWrites(exchange, () =>
      market.burst(trades, symbol, clock.nowUs(), (listing, order) => exchange.publish(listing, order)),
    );
  }

  async setSymbols({ add = [], remove = [] }: { add?: ListingRequest[]; remove?: string[] }): Promise<void> {
    for (const symbol of remove) this.#requireListed(symbol);
    const listings = add.map(({ symbol, baseAsset, quoteAsset, status }) => {
      try {
        return binanceListing(symbol, { baseAsset, quoteAsset }, status ?? 'TRADING');
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
    const { clock, exchange } = this.#parts;
    const leaving = exchange.connections();
    exchange.sendShutdownNotice();
    clock.after(afterMs, () => {
      for (const connection of leaving) connection.close(1001, 'Server shutdown');
    });
  }

  async setSettings(change: Partial<Settings>): Promise<void> {
    Object.assign(this.#parts.settings, change);
    for (const connection of this.#parts.exchange.connections()) connection.applySettings();
  }

  async addRestFault(fault: RestFault): Promise<void> {
    this.#parts.exchange.rest.addFault(fault);
  }

  async ban({ durationMs, address }: { durationMs: number; address?: string }): Promise<void> {
    const nowMs = Math.floor(this.#parts.clock.nowUs() / 1000);
    this.#parts.exchange.rest.weights.ban(address, nowMs + durationMs, nowMs);
  }

  async loadRecording(body: Uint8Array): Promise<ReplayState> {
    return this.#parts.replay.load(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }

  async replay({ speed }: { speed: number | 'flat' }): Promise<void> {
    this.#parts.replay.start(speed);
  }

  async reset(): Promise<void> {
    const { exchange, replay, ledger, market, settings, closed } = this.#parts;
    const { listings, tradesPerSecond } = this.#initial;
    await Promise.all(exchange.connections().map((connection) => connection.cut()));
    replay.reset();
    exchange.reset();
    ledger.clear();
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

  #list(listings: Listing[]): void {
    for (const listing of listings) this.#parts.market.list(listing, this.#parts.clock.nowUs());
  }

  #selected(id: number | undefined): Connection[] {
    const open = this.#parts.exchange.connections();
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
