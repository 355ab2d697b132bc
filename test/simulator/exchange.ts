// What the simulator asks of every exchange it speaks for. One folder each, named in exchanges.ts; the rest of the
// simulator names none of them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import type { RestFault } from './control-types.ts';
import type { FrameFaults } from './frame-faults.ts';
import type { HubServices } from './hub.ts';
import type { Ledger } from './ledger.ts';
import type { Market, TimedOrder } from './market.ts';
import type { Settings } from './settings.ts';
import type { Listing } from './trades.ts';

/** How an exchange writes what all of them have in common. */
export interface Spelling {
  symbol(listing: Listing): string;
  /** The digits of the id, which may go beyond 2^53. */
  id(id: number): string;
  /** As in its frames; its REST may pad otherwise. */
  price(listing: Listing, priceE8: number): string;
  quantity(listing: Listing, quantityE8: number): string;
}

/** What exchanges share in one simulator. */
export interface ExchangeServices extends HubServices {
  clock: Clock;
  ledger: Ledger;
  market: Market;
  frameFaults: FrameFaults;
  /** Symbols, as the market has them, whose subscription is refused although they are listed. */
  refused: Set<string>;
}

export interface Exchange {
  /** Also the first part of its paths: `/kraken/v2`. */
  readonly id: string;
  /** Its own defaults, and what was set by a test. */
  readonly settings: Settings;
  readonly spelling: Spelling;
  /** Whether it answers on this path, for WebSocket upgrades and REST alike; without its id before it. */
  owns(path: string): boolean;
  /** Takes over the socket of a WebSocket upgrade. */
  upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): void;
  /** Answers a REST request; a fault with a status in the exchange's words. */
  request(request: IncomingMessage, url: URL, response: ServerResponse, fault: RestFault | undefined): void;
  /** Sends an order's trades to the connections that subscribed to them. */
  publish(listing: Listing, order: TimedOrder): void;
  /** Sends the notice that precedes a planned disconnect, where the exchange has one. */
  sendShutdownNotice(): void;
  /** Open connections. */
  connections(): Connection[];
  subscriptions(connection: Connection): string[];
  /** Refuses an address's REST requests, or everybody's, until that time in milliseconds since 1970. */
  ban(address: string | undefined, untilMs: number): void;
  /** Forgets addresses' limits and bans. */
  reset(): void;
}

/** Lets what `publish` sends leave in few writes to each connection. */
export function inFewWrites(connections: Connection[], publish: () => void): void {
  for (const connection of connections) connection.hold();
  publish();
  for (const connection of connections) connection.flush();
}
