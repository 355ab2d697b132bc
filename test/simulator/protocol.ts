// What tells one exchange from another where trades are pushed to subscribers as JSON texts: data and functions for
// stream-exchange.ts, which has the sockets, the subscribers and the limits.
import type { Spelling } from './exchange.ts';
import type { Client } from './hub.ts';
import type { Market, TimedOrder } from './market.ts';
import type { Settings } from './settings.ts';
import type { Listing } from './trades.ts';

export interface Session extends Client {
  /** Where it connected, without the exchange's id. */
  path: string;
  /** Frames and heartbeats so far, for protocols that number them. */
  frames: number;
  beats: number;
}

/** A frame with trades: ids from `firstId` on, each by one. */
export interface TradeFrame {
  text: string;
  firstId: number;
  trades: number;
}

/** What a protocol can see and do. */
export interface Desk {
  readonly market: Market;
  readonly settings: Settings;
  /** By the exchange's clock. */
  nowUs(): number;
  /** By the exchange's spelling; undefined: not listed. */
  listing(symbol: string): Listing | undefined;
  /** The same, but undefined also where a test wants the subscription refused. */
  subscribable(symbol: string): Listing | undefined;
  subscribe(session: Session, topic: string): void;
  unsubscribe(session: Session, topic: string): void;
  say(session: Session, text: string): void;
  sayTrades(session: Session, listing: Listing, frame: TradeFrame): void;
}

export interface RestAnswer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

export interface RestProtocol {
  owns(path: string): boolean;
  /** Null: there is no such path. */
  answer(path: string, query: URLSearchParams, desk: Desk): RestAnswer | null;
  /** How many requests of one kind an address has. */
  limit(path: string, query: URLSearchParams): { kind: string; count: number; windowMs: number };
  /** How it words that an address asked too often, is banned, or that something failed. */
  refusal(why: 'limited' | 'banned' | 'failed'): RestAnswer;
}

export interface Protocol {
  id: string;
  /** WebSocket paths below the exchange's id. */
  paths: string[];
  /** Where it differs from the simulator's defaults. */
  settings: Partial<Settings>;
  spelling: Spelling;
  rest: RestProtocol;
  /** On connecting. */
  greet?(desk: Desk, session: Session): void;
  /** Answers one message of a client. */
  hear(desk: Desk, session: Session, text: string): void;
  /** Every `settings.heartbeatMs`, as long as it is connected. */
  beat?(desk: Desk, session: Session): void;
  /** Announces a planned disconnect; null where the connection gets no notice. */
  notice(session: Session): string | null;
  /** Topics under which a symbol's trades are pushed; a session is subscribed to topics. */
  topics(listing: Listing): string[];
  /** What is pushed of one taker order. */
  frames(topic: string, listing: Listing, order: TimedOrder, nowUs: number): TradeFrame[];
  /** Makes a whole frame of what frames() and say() have, where each connection has its own numbers. */
  seal?(text: string, session: Session, nowUs: number): string;
}

export type Message = Readonly<Record<string, unknown>>;

/** Null for what is not a JSON object. */
export function readMessage(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Message) : null;
  } catch {
    return null;
  }
}

/** What is no list is an empty one. */
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export const textsOf = (value: unknown): string[] => listOf(value).filter((part) => typeof part === 'string');

/** A whole number from a query, within bounds; what is none is the fallback. */
export function countOf(text: string | null, fallback: number, max: number): number {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Math.min(Number(text), max) : fallback;
}

/** A trade id from a query; what is none is undefined. */
export const idOf = (text: string | null): number | undefined =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

/** A part of a path; one that is wrongly encoded names nothing. */
export function partOf(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
