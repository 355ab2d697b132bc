// What the control interface takes and answers: shared by the server in the simulator and the client in tests.
import type { LedgerState, SentFrame } from './ledger.ts';
import type { SymbolActivity } from './market.ts';
import type { Settings } from './settings.ts';

export type { LedgerState, SentFrame, Settings, SymbolActivity };

export interface ConnectionState {
  connection: number;
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
  settings: Settings;
}

export interface ListingRequest {
  symbol: string;
  /** Needed for symbols the simulator does not know. */
  baseAsset?: string;
  quoteAsset?: string;
  status?: 'TRADING' | 'HALT' | 'BREAK';
}

export interface RestFault {
  /** Path it applies to; absent: all of the exchange's REST. */
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
  /** In total, shared equally; or of one symbol, where null returns it to the shared rate. */
  setRate(request: { tradesPerSecond: number | null; symbol?: string }): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * That many trades at once, at most 100,000, also while paused; rounded up to whole taker orders. Sent when it
   * answers.
   */
  burst(request: { trades: number; symbol?: string }): Promise<void>;
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
  /** Bans an address, by default all of them, from REST: 418. */
  ban(request: { durationMs: number; address?: string }): Promise<void>;
  /** jsonl or gzip of it; at most 64 MiB. */
  loadRecording(body: Uint8Array): Promise<ReplayState>;
  /** 1: as recorded; N: that many times faster; flat: as fast as the slowest receiver takes it. Once per recording. */
  replay(request: { speed: number | 'flat' }): Promise<void>;
  /** Settings, rates, faults, ledger and recording as at start; connections are cut, trade ids go on. */
  reset(): Promise<void>;
}
