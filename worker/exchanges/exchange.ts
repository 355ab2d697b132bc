// The contract of an exchange: data and pure functions. No socket, timer, clock or class: the worker owns those.
// One frame or answer in, one value out; nothing here throws on what an exchange may send.
import type { Trade } from '../trade.ts';

/** What one frame says. */
export type Parsed =
  | { kind: 'trades'; trades: Trade[] }
  /** A request was accepted; `requestId` as in its Request. */
  | { kind: 'subscribed'; requestId: string }
  /** A request was refused, in the exchange's words; `requestId` is null where the answer does not name it. */
  | { kind: 'rejected'; requestId: string | null; why: string }
  | { kind: 'heartbeat' }
  /** The exchange is about to end the connection. */
  | { kind: 'notice'; why: string }
  /** Well formed, but nothing that was asked for. */
  | { kind: 'ignored'; what: string }
  | { kind: 'unreadable'; why: string };

/** One message that subscribes. */
export interface Request {
  id: string;
  text: string;
  symbols: string[];
}

/** What the exchange's own metadata says of a symbol. */
export interface Listing {
  symbol: string;
  /** `BASE/QUOTE` from the exchange's assets, never by cutting the symbol: `BTC/USDT`. */
  canonicalSymbol: string;
}

export type ListingAnswer =
  | { kind: 'listed'; listings: Listing[] }
  /** At least one of the symbols asked for does not exist; the exchange does not say which. */
  | { kind: 'unlisted' }
  | { kind: 'failed'; why: string };

export interface Exchange {
  /** Public hosts, overridden by the configuration. */
  webSocketUrl: string;
  restUrl: string;
  limits: {
    /** Messages that a client may send on one connection per second, pongs included. */
    messagesPerSecond: number;
    symbolsPerConnection: number;
  };
  /** A connection on which neither a frame nor a ping came for this long is stale, milliseconds. */
  silenceMsMax: number;
  /** The address to connect to. */
  connectUrl(webSocketUrl: string): string;
  /** Messages that subscribe to the symbols' trades. Ids count from `firstId`, so that a connection sees none twice. */
  subscribe(symbols: string[], firstId: number): Request[];
  /** Reads one frame, as received. */
  parse(frame: Buffer): Parsed;
  listing: {
    symbolsPerRequestMax: number;
    /** The address that lists the given symbols. */
    requestUrl(restUrl: string, symbols: string[]): string;
    /** Reads the answer to it; listings of symbols that were not asked for are allowed. */
    parse(status: number, body: string): ListingAnswer;
  };
}
