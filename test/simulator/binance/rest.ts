// Binance's REST interface over the generated trades: what each path costs, reads and answers. Pure but for the market
// it reads.
// https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#market-data-endpoints
import type { Market, TimedOrder } from '../market.ts';
import { inUnit, restAggregate, restTrades, type TimeUnit } from './frames.ts';
import { exchangeInfo } from './symbols.ts';

export interface Answer {
  status: number;
  body: unknown;
}

export interface RestContext {
  market: Market;
  nowUs: number;
  unit: TimeUnit;
  weightPerMinuteMax: number;
}

interface Endpoint {
  weight: number;
  parameters: string[];
  answer(query: URLSearchParams, context: RestContext): Answer;
}

const limitDefault = 500;
const limitMax = 1000;
/** A block of 32 trades has 12 orders, so 1,000 trades never need more orders than this. */
const ordersPerAnswerMax = limitMax;

const ok = (body: unknown): Answer => ({ status: 200, body });
const refuse = (code: number, msg: string): Answer => ({ status: 400, body: { code, msg } });
const invalidSymbol = refuse(-1121, 'Invalid symbol.');
const badCombination = refuse(-1128, 'Combination of optional parameters invalid.');

export const endpoints: Record<string, Endpoint> = {
  '/api/v3/ping': { weight: 1, parameters: [], answer: () => ok({}) },
  '/api/v3/time': {
    weight: 1,
    parameters: [],
    answer: (_, { nowUs, unit }) => ok({ serverTime: inUnit(nowUs, unit) }),
  },
  '/api/v3/exchangeInfo': {
    weight: 20,
    parameters: ['symbol', 'symbols', 'permissions', 'showPermissionSets', 'symbolStatus'],
    answer: answerExchangeInfo,
  },
  '/api/v3/trades': {
    weight: 25,
    parameters: ['symbol', 'limit'],
    answer: (query, context) => withSymbol(query, context, (symbol, limit) => newestTrades(symbol, limit, context)),
  },
  '/api/v3/historicalTrades': {
    weight: 25,
    parameters: ['symbol', 'limit', 'fromId'],
    answer: (query, context) =>
      withSymbol(query, context, (symbol, limit) => historicalTrades(symbol, limit, query, context)),
  },
  '/api/v3/aggTrades': {
    weight: 4,
    parameters: ['symbol', 'fromId', 'startTime', 'endTime', 'limit'],
    answer: (query, context) =>
      withSymbol(query, context, (symbol, limit) => aggregateTrades(symbol, limit, query, context)),
  },
};

/** Answers one request to a known endpoint. */
export function answerRest(endpoint: Endpoint, query: URLSearchParams, context: RestContext): Answer {
  const names = [...query.keys()];
  if (new Set(names).size < names.length) return refuse(-1101, 'Duplicate values for a parameter detected.');
  const read = names.filter((name) => endpoint.parameters.includes(name)).length;
  if (read < names.length) {
    return refuse(
      -1104,
      `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${names.length}'.`,
    );
  }
  const empty = names.find((name) => query.get(name) === '');
  if (empty !== undefined) return refuse(-1105, `Parameter '${empty}' was empty.`);
  return endpoint.answer(query, context);
}

/** Symbols may be of any script, but not lower case. */
const isSymbol = (text: string): boolean => /^[\p{L}\p{N}_.-]{1,50}$/u.test(text) && !/[a-z]/.test(text);
const symbolRange = '^[\\w\\-._&&[^a-z]]{1,50}$';
const illegal = (name: string, range: string): Answer =>
  refuse(-1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`);

function answerExchangeInfo(query: URLSearchParams, context: RestContext): Answer {
  const all = context.market.listings();
  const answer = (listings: typeof all) =>
    ok(exchangeInfo(listings, inUnit(context.nowUs, context.unit), context.weightPerMinuteMax));
  const selectors = ['symbol', 'symbols', 'permissions', 'symbolStatus'].filter((name) => query.has(name));
  if (selectors.includes('symbol') && selectors.length > 1) return badCombination;
  if (selectors.includes('symbols') && selectors.length > 1) return badCombination;
  const symbolStatus = query.get('symbolStatus');
  if (symbolStatus !== null) {
    if (!['TRADING', 'HALT', 'BREAK'].includes(symbolStatus)) return refuse(-1122, 'Invalid symbolStatus.');
    return answer(all.filter((listing) => listing.status === symbolStatus));
  }
  const wanted = query.has('symbol') ? [query.get('symbol') ?? ''] : parseSymbols(query.get('symbols'));
  if (wanted === null) return answer(all);
  if (wanted === 'malformed') return illegal('symbols', `^\\[("${symbolRange.slice(1, -1)}"(,"..."){0,}){0,1}\\]$`);
  if (!wanted.every(isSymbol)) return illegal(query.has('symbol') ? 'symbol' : 'symbols', symbolRange);
  if (new Set(wanted).size < wanted.length) return refuse(-1151, 'Symbol is present multiple times in the list.');
  const found = all.filter((listing) => wanted.includes(listing.symbol));
  return found.length < wanted.length ? invalidSymbol : answer(found);
}

function parseSymbols(text: string | null): string[] | 'malformed' | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((part) => typeof part === 'string') ? value : 'malformed';
  } catch {
    return 'malformed';
  }
}

function withSymbol(
  query: URLSearchParams,
  { market }: RestContext,
  answer: (symbol: string, limit: number) => Answer,
): Answer {
  const symbol = query.get('symbol');
  if (symbol === null) {
    return refuse(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
  }
  if (!isSymbol(symbol)) return illegal('symbol', symbolRange);
  if (!market.listing(symbol)) return invalidSymbol;
  for (const name of ['limit', 'fromId', 'startTime', 'endTime']) {
    const text = query.get(name);
    if (text !== null && !/^[0-9]{1,20}$/.test(text)) return illegal(name, '^[0-9]{1,20}$');
  }
  const limit = Number(query.get('limit') ?? limitDefault);
  if (limit === 0) return refuse(-1130, "Data sent for parameter 'limit' is not valid.");
  return answer(symbol, Math.min(limit, limitMax));
}

function newestTrades(symbol: string, limit: number, { market, unit }: RestContext): Answer {
  const next = market.nextIds(symbol).aggregateId;
  const trades = market.ordersFrom(symbol, next - limit, limit).flatMap((order) => restTrades(order, unit));
  return ok(trades.slice(-limit));
}

function historicalTrades(symbol: string, limit: number, query: URLSearchParams, context: RestContext): Answer {
  const text = query.get('fromId');
  if (text === null) return newestTrades(symbol, limit, context);
  const fromId = Number(text);
  const { market, unit } = context;
  if (fromId >= market.nextIds(symbol).tradeId) return ok([]);
  const orders = market.ordersFrom(symbol, market.aggregateIdOf(symbol, fromId), ordersPerAnswerMax);
  const skipped = Math.max(0, fromId - (orders[0]?.firstId ?? fromId));
  return ok(orders.flatMap((order) => restTrades(order, unit)).slice(skipped, skipped + limit));
}

function aggregateTrades(symbol: string, limit: number, query: URLSearchParams, context: RestContext): Answer {
  const { market, unit } = context;
  const answer = (orders: TimedOrder[]) => ok(orders.map((order) => restAggregate(order, unit)));
  const [fromId, startTime, endTime] = ['fromId', 'startTime', 'endTime'].map((name) => query.get(name));
  if (fromId && (startTime || endTime)) return badCombination;
  if (fromId) return answer(market.ordersFrom(symbol, Number(fromId), limit));
  const next = market.nextIds(symbol).aggregateId;
  const end = endTime ? market.aggregateIdAt(symbol, timeUs(endTime) + (endTime.length > 13 ? 1 : 1000)) : next;
  const start = startTime ? market.aggregateIdAt(symbol, timeUs(startTime)) : end - limit;
  return answer(market.ordersFrom(symbol, start, Math.max(0, Math.min(limit, end - start))));
}

/** Times in a query may be in milliseconds or microseconds. */
const timeUs = (text: string): number => (text.length > 13 ? Number(text) : Number(text) * 1000);
