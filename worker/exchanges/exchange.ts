// The contract of an exchange: data and pure functions. No socket, timer, clock or class: the worker owns those.
// One frame or answer in, one value out; nothing here throws on what an exchange may send.
import type { Trade } from '../trade.ts';

/** What one frame says. */
export type Parsed =
  /** In the frame's order, which need not be that of their ids. */
  | { kind: 'trades'; trades: Trade[] }
  /** Accepted. `requestId` as in its Request, `symbols` where the answer names them; what it does not say is null. */
  | { kind: 'subscribed'; requestId: string | null; symbols: string[] | null }
  /** Refused, in the exchange's words; what the answer does not name is null. */
  | { kind: 'rejected'; requestId: string | null; symbols: string[] | null; why: string }
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
  /** Under which frames and REST name its trades, where that differs (Coinbase: BTC-USDC comes as BTC-USD). */
  streamedAs?: string;
  /** The symbol in REST addresses, where that differs (Kraken: XBTUSD). */
  restSymbol?: string;
}

export type ListingAnswer =
  | { kind: 'listed'; listings: Listing[] }
  /** At least one of the symbols asked for does not exist; the exchange does not say which. */
  | { kind: 'unlisted' }
  | { kind: 'failed'; why: string };

/** What trade ids of one symbol prove. */
export type Continuity =
  /** Each id is the one before plus 1: a jump is a gap. */
  | { kind: 'consecutive' }
  /** Ids rise by 1 as far as is known, but nobody promises it: a jump is a gap once REST shows a trade in it. */
  | { kind: 'rising' }
  /** Nothing on the wire proves that no trade is missing. */
  | { kind: 'none'; why: string };

/** Trades that are missing: ids from `firstId` to `lastId`, both included; `lastId` null: up to now. */
export interface BackfillRange {
  listing: Listing;
  firstId: bigint;
  lastId: bigint | null;
  /** Exchange time of the newest trade before the range, milliseconds since 1970: where REST pages by time. */
  afterTimeMs: number;
}

export interface BackfilledTrade {
  trade: Trade;
  /** That trade's element of the answer, byte for byte: the value of its raw record. */
  text: string;
}

export type BackfillAnswer =
  /** In any order; trades outside the range are allowed. Between the least and the greatest id none is left out. */
  { kind: 'trades'; trades: BackfilledTrade[] } | { kind: 'failed'; why: string };

/** How trades are fetched by REST: a page at a time, the range narrowed by what each page brought. */
export interface Backfill {
  /** Which end of the range a page holds: the next one is asked for with that end moved. */
  direction: 'ascending' | 'descending';
  tradesPerRequestMax: number;
  /** At most `count` requests in `windowMs` milliseconds, for all symbols: a share of what the exchange allows. */
  budget: { count: number; windowMs: number };
  requestUrl(restUrl: string, range: BackfillRange): string;
  parse(listing: Listing, status: number, body: string): BackfillAnswer;
}

export interface Exchange {
  /** Public hosts, overridden by the configuration. */
  webSocketUrl: string;
  restUrl: string;
  limits: {
    /** Messages that a client may send on one connection per second, pongs included. */
    messagesPerSecond: number;
    symbolsPerConnection: number;
    /** Connection attempts from one address. */
    connects: { count: number; windowMs: number };
    /** The exchange ends every connection at this age, milliseconds; null: no such rule. */
    lifetimeMs: number | null;
  };
  /** A text that the client must send at this rhythm for the connection to live; null: answering pings is enough. */
  keepalive: { text: string; intervalMs: number } | null;
  /** A connection on which neither a frame nor a ping came for this long is stale, milliseconds. */
  silenceMsMax: number;
  continuity: Continuity;
  /** Null: the exchange has no REST history that reaches further than the stream. */
  backfill: Backfill | null;
  /** The address to connect to. */
  connectUrl(webSocketUrl: string): string;
  /**
   * Messages that subscribe to the symbols' trades, and to what the exchange needs for a quiet connection to live.
   * Ids count from `firstId` on, so that none is used twice on a connection.
   */
  subscribe(symbols: string[], firstId: number): Request[];
  /** Reads one frame, as received. */
  parse(frame: Buffer): Parsed;
  listing: {
    symbolsPerRequestMax: number;
    /** The address that lists the given symbols. */
    requestUrl(restUrl: string, symbols: string[]): string;
    /** Reads the answer to it; listings of symbols that were not asked for are allowed. */
    parse(status: number, body: string): ListingAnswer;
    /** What the symbol alone tells of its canonical symbol, for reading without metadata; null or absent: nothing. */
    canonicalOf?(symbol: string): string | null;
  };
}
