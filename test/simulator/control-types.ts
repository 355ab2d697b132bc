// What the control interface takes and answers: shared by the server in the simulator and the client in tests.
import type { FrameFault, FrameFaultState } from './frame-faults.ts';
import type { LedgerState, SentFrame } from './ledger.ts';
import type { SymbolActivity } from './market.ts';
import type { RestAnswered } from './rest-counts.ts';
import type { Settings } from './settings.ts';

export type { FrameFault, FrameFaultState, LedgerState, SentFrame, Settings, SymbolActivity };

export interface ConnectionState {
  connection: number;
  /** Which exchange it is connected to. */
  exchange: string;
  /** Path and query with which it was opened. */
  url: string;
  address: string;
  openedMs: number;
  /** Null while open; 1006: no closing handshake. */
  closed: { ms: number; code: number; reason: string } | null;
  stalled: boolean;
  subscriptions: string[];
  framesSent: number;
  bytesSent: number;
  bytesBuffered: number;
  /** Pings, pongs and requests of the client. */
  messagesReceived: number;
  messagesLastSecond: number;
  pingsSent: number;
  pongsReceived: number;
  /** Trades sent, by symbol. */
  sent: Record<string, { trades: number; firstId: number; lastId: number }>;
}

export interface ReplayState {
  phase: 'none' | 'loaded' | 'running' | 'done';
  /** Frames in the recording, and how many of them have had their turn. */
  frames: number;
  framesPlayed: number;
  /** Frames sent, counted per connection; frames that nobody was subscribed to. */
  sent: number;
  unsubscribed: number;
}

export interface SimulatorState {
  nowMs: number;
  seed: string;
  paused: boolean;
  accepting: boolean;
  /** The total asked for; symbols may have their own. */
  tradesPerSecond: number;
  /** Schedule given up because the machine was too slow; 0 means that the rate was kept. */
  skippedMs: number;
  symbols: SymbolActivity[];
  /** Open ones, and the last 1,000 closed ones. */
  connections: ConnectionState[];
  ledger: LedgerState;
  replay: ReplayState;
  clockSkewMs: number;
  refusedSymbols: string[];
  /** The last 100 ordered, with how often each hit. */
  frameFaults: FrameFaultState[];
  /** Answers of REST since the start or the last reset. */
  rest: RestAnswered;
  /** The defaults and what was set; exchanges have defaults of their own beside them. */
  settings: Settings;
}

/** A trade as it is in truth, whoever heard of it. */
export interface MadeTrade {
  symbol: string;
  /** Digits; with the exchange's own where one was asked for, as are symbol, price and quantity. */
  id: string;
  price: string;
  quantity: string;
  takerSide: 'buy' | 'sell';
  /** By the exchange's clock, microseconds since 1970. */
  timeUs: number;
}

export interface ListingRequest {
  symbol: string;
  /** Needed for symbols the simulator does not know. */
  baseAsset?: string;
  quoteAsset?: string;
  status?: 'TRADING' | 'HALT' | 'BREAK';
}

/** What a burst was, by the simulator's clock. */
export interface Burst {
  /** Of all symbols, whoever subscribed to them. */
  trades: number;
  /** When the first was made, microseconds since 1970. */
  fromUs: number;
  /** When the operating system had taken the last from us for every client; null: one reads too slowly to say. */
  untilUs: number | null;
}

export interface RestFault {
  /** Path it applies to, with or without the exchange before it: `/kraken/0/public/Trades`; absent: all REST. */
  path?: string;
  /** Answer this status; absent: the answer is only delayed. */
  status?: number;
  delayMs?: number;
  retryAfterSeconds?: number;
  /** Requests until the fault is over; absent: until reset. */
  requests?: number;
}

/** Every command answers when it has taken effect; replay() when it has started. */
export interface SimulatorControl {
  state(): Promise<SimulatorState>;
  /** What was sent, in order. @throws Error when the ledger was full, unless `partial`. */
  sent(filter?: { connection?: number; symbol?: string; partial?: boolean }): AsyncIterable<SentFrame>;
  /**
   * Every trade since the start or the last reset, by symbol and in the order of making.
   * @param filter `symbol` as the market has it; `exchange`: spelled as there
   * @throws Error when it was more than 2,000,000 orders a symbol
   */
  made(filter?: { symbol?: string; exchange?: string }): AsyncIterable<MadeTrade>;
  /** In total, shared equally; or of one symbol, where null returns it to the shared rate. */
  setRate(request: { tradesPerSecond: number | null; symbol?: string }): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * That many trades at once, at most 100,000, also while paused; rounded up to whole taker orders. Of all symbols
   * together, unless one is named. Sent when it answers.
   */
  burst(request: { trades: number; symbol?: string }): Promise<Burst>;
  setSymbols(request: { add?: ListingRequest[]; remove?: string[] }): Promise<void>;
  /** Without a code: no closing handshake. Without a connection: all of them. */
  cut(request?: { connection?: number; code?: number; reason?: string }): Promise<void>;
  /** Half-open connections: nothing is sent or answered any more. */
  stall(request: { stalled: boolean; connection?: number }): Promise<void>;
  /** False: connection attempts are answered 503. */
  setAccepting(request: { accepting: boolean }): Promise<void>;
  /** The notice, and the end of all connections that long after it. */
  shutDownConnections(request: { afterMs: number }): Promise<void>;
  setSettings(request: Partial<Settings>): Promise<void>;
  addRestFault(request: RestFault): Promise<void>;
  /** What happens to the next frames with trades; see FrameFault. The first fault that hits a frame has it. */
  addFrameFault(request: FrameFault): Promise<void>;
  /** Subscriptions to these are refused from now on, in the exchange's words; those of before are given back. */
  refuseSymbols(request: { symbols: string[] }): Promise<void>;
  /** The exchanges' clock is that much ahead of ours: times of trades, frames and REST from now on. */
  setClockSkew(request: { ms: number }): Promise<void>;
  /** The symbol's ids begin again far below. */
  resetIds(request: { symbol: string }): Promise<void>;
  /** Bans an address, by default all of them, from REST, by default everywhere: Binance says 418. */
  ban(request: { durationMs: number; address?: string; exchange?: string }): Promise<void>;
  /** jsonl or gzip of it; at most 64 MiB. */
  loadRecording(body: Uint8Array): Promise<ReplayState>;
  /** 1: as recorded; N: that many times faster; flat: as fast as the slowest receiver takes it. Once per recording. */
  replay(request: { speed: number | 'flat' }): Promise<void>;
  /** Settings, rates, faults, ledger and recording as at start; connections are cut, trade ids go on. */
  reset(): Promise<void>;
}
