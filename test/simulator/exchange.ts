// What the simulator asks of every exchange it speaks for. One folder each; the rest of the simulator names none of
// them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Connection } from './connection.ts';
import type { TimedOrder } from './market.ts';
import type { RecordedFrame } from './recording.ts';
import type { Listing } from './trades.ts';

export interface Receivers {
  /** Null for what is not a trade. */
  symbol: string | null;
  id: number | null;
  /** With the bytes that the connection's form of the protocol has for the frame. */
  connections: { connection: Connection; bytes: Buffer }[];
}

export interface Exchange {
  /** Whether it answers on this path, for WebSocket upgrades and REST alike. */
  owns(path: string): boolean;
  /** Takes over the socket of a WebSocket upgrade. */
  upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): void;
  /** Answers a REST request. */
  request(request: IncomingMessage, url: URL, response: ServerResponse): void;
  /** Sends an order's trades to the connections that subscribed to them. */
  publish(listing: Listing, order: TimedOrder): void;
  /** Who is subscribed to a recorded frame, and what it is. */
  receivers(frame: RecordedFrame): Receivers;
  /** Sends the notice that precedes a planned disconnect, where the exchange has one. */
  sendShutdownNotice(): void;
  /** Open connections. */
  connections(): Connection[];
  subscriptions(connection: Connection): string[];
  /** Forgets addresses' limits and bans. */
  reset(): void;
}

/** Lets what `publish` sends leave in few writes to each connection. */
export function inFewWrites(exchange: Exchange, publish: () => void): void {
  const connections = exchange.connections();
  for (const connection of connections) connection.hold();
  publish();
  for (const connection of connections) connection.flush();
}
