// Binance spot: trades of the combined stream.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
import { isDecimal } from '../decimal.ts';
import { isJsonObject, JsonNumber, type Json as LosslessJson, parseJsonWithTexts, readJson } from '../json.ts';
import type { Trade } from '../trade.ts';
import type {
  Backfill,
  BackfillAnswer,
  BackfilledTrade,
  Exchange,
  ListingAnswer,
  Parsed,
  Request,
} from './exchange.ts';

/** Not documented: a message over 4,096 bytes, its header included, is never answered. https://github.com/binance/binance-connector-rust/issues/27 */
const requestBytesMax = 4000;

/** Near 2 kB of URL once encoded. */
const symbolsPerRequestMax = 100;

/** https://github.com/binance/binance-spot-api-docs/blob/master/errors.md: -1121 BAD_SYMBOL, -1100 ILLEGAL_CHARS (a symbol that can be none). */
const unlistedCodes = [-1121, -1100];

function subscribe(symbols: string[], firstId: number): Request[] {
  const requests: Request[] = [];
  for (let rest = symbols; rest.length > 0; ) {
    const request = largestRequest(rest, firstId + requests.length);
    requests.push(request);
    rest = rest.slice(request.symbols.length);
  }
  return requests;
}

/** As many symbols from the front as one message carries, at least one. */
function largestRequest(symbols: string[], id: number): Request {
  const build = (count: number) => {
    const params = symbols.slice(0, count).map((symbol) => `${symbol.toLowerCase()}@trade`);
    return JSON.stringify({ method: 'SUBSCRIBE', params, id });
  };
  let count = symbols.length;
  while (count > 1 && Buffer.byteLength(build(count)) > requestBytesMax) count = Math.ceil(count / 2);
  return { id: String(id), text: build(count), symbols: symbols.slice(0, count) };
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(frame: Buffer): Parsed {
  const text = frame.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'unreadable', why: 'not JSON' };
  }
  if (!isObject(value)) return { kind: 'unreadable', why: 'not a JSON object' };
  const payload = 'stream' in value && 'data' in value ? value.data : value;
  if (!isObject(payload)) return { kind: 'unreadable', why: 'data is not an object' };
  if (payload.e === 'trade') return parseTrade(payload, text);
  if (payload.e === 'serverShutdown') return { kind: 'notice', why: 'serverShutdown' };
  if (typeof payload.e === 'string') return { kind: 'ignored', what: payload.e };
  return parseAnswer(payload);
}

/** `{"result":null,"id":1}`, `{"error":{"code":2,"msg":".."},"id":1}`, or `{"code":2,"msg":".."}` as documented. */
function parseAnswer(answer: Json): Parsed {
  const requestId = typeof answer.id === 'number' || typeof answer.id === 'string' ? String(answer.id) : null;
  const error = isObject(answer.error) ? answer.error : answer;
  if ('code' in error || 'msg' in error) {
    return {
      kind: 'rejected',
      requestId,
      symbols: null,
      why: `${error.msg ?? 'no reason given'} (code ${error.code ?? 'none'})`,
    };
  }
  if ('result' in answer && requestId !== null) return { kind: 'subscribed', requestId, symbols: null };
  // bookTicker and partial depth have no event type.
  return { kind: 'ignored', what: 'no event type' };
}

function parseTrade(trade: Json, text: string): Parsed {
  const unreadable = (field: string, rule: string): Parsed => {
    const value = trade[field];
    const why = value === undefined ? `trade has no ${field}` : `trade's ${field} ${show(value)} is not ${rule}`;
    return { kind: 'unreadable', why };
  };
  const { s: symbol, p: price, q: quantity, T: exchangeTimeMs, m: isBuyerMaker } = trade;
  const tradeId = readId(trade.t, text);
  // The exchange stopped sending order ids in June 2024.
  const buyerOrderId = trade.b ?? null;
  const sellerOrderId = trade.a ?? null;

  if (typeof symbol !== 'string' || symbol === '') return unreadable('s', 'a symbol');
  if (tradeId === null) return unreadable('t', 'an id');
  if (!isDecimal(price)) return unreadable('p', 'a decimal');
  if (!isDecimal(quantity)) return unreadable('q', 'a decimal');
  if (!isTime(exchangeTimeMs)) return unreadable('T', 'a time in milliseconds');
  if (typeof isBuyerMaker !== 'boolean') return unreadable('m', 'true or false');
  if (buyerOrderId !== null && !isCount(buyerOrderId)) return unreadable('b', 'an order id');
  if (sellerOrderId !== null && !isCount(sellerOrderId)) return unreadable('a', 'an order id');

  const side = isBuyerMaker ? 'SELL' : 'BUY';
  const ids = { sequenceNumber: null, buyerOrderId, sellerOrderId };
  return { kind: 'trades', trades: [{ symbol, tradeId, price, quantity, side, exchangeTimeMs, isBuyerMaker, ...ids }] };
}

/** JSON.stringify() would go as deep as the value nests, and end at the end of the stack. */
function show(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).slice(0, 40);
  return Array.isArray(value) ? '[..]' : '{..}';
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** The last that a Date can hold: what reads the trades may go no further. */
const timeMsMax = 8_640_000_000_000_000;

const isTime = (value: unknown): value is number => isCount(value) && value <= timeMsMax;

/** Ids are bare JSON numbers: exact as a number up to 2^53, and taken from the text beyond. */
function readId(value: unknown, text: string): string | null {
  if (isCount(value)) return String(value);
  return typeof value === 'number' ? readLongId(text) : null;
}

/** At most 2^64. Read anew without rounding, so that it is the trade's own `t` and not another one before it. */
function readLongId(text: string): string | null {
  const message = readJson(text);
  if (!isJsonObject(message)) return null;
  const payload = 'stream' in message && 'data' in message ? message.data : message;
  const id = isJsonObject(payload) ? payload.t : undefined;
  return id instanceof JsonNumber && /^\d{1,20}$/.test(id.text) ? id.text : null;
}

interface ExchangeInfo {
  symbols: { symbol: string; baseAsset: string; quoteAsset: string }[];
}

function isExchangeInfo(value: unknown): value is ExchangeInfo {
  const isText = (text: unknown) => typeof text === 'string' && text !== '';
  return (
    isObject(value) &&
    Array.isArray(value.symbols) &&
    value.symbols.every((entry) => isText(entry?.symbol) && isText(entry?.baseAsset) && isText(entry?.quoteAsset))
  );
}

function parseListings(status: number, body: string): ListingAnswer {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { kind: 'failed', why: `status ${status}, not JSON: ${body.slice(0, 80)}` };
  }
  if (status === 400 && isObject(value) && unlistedCodes.includes(Number(value.code))) return { kind: 'unlisted' };
  if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
  if (!isExchangeInfo(value)) return { kind: 'failed', why: 'symbols is not a list of symbol, baseAsset, quoteAsset' };
  const listings = value.symbols.map(({ symbol, baseAsset, quoteAsset }) => ({
    symbol,
    canonicalSymbol: `${baseAsset}/${quoteAsset}`,
  }));
  return { kind: 'listed', listings };
}

/** https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#old-trade-lookup: fromId included, ascending. */
const backfill: Backfill = {
  direction: 'ascending',
  tradesPerRequestMax: 1000,
  // Weight 25 of 6,000 a minute allows 240; half is left to others behind the same address.
  budget: { count: 20, windowMs: 10_000 },
  requestUrl: (restUrl, { listing, firstId }) =>
    `${restUrl}/api/v3/historicalTrades?symbol=${encodeURIComponent(listing.symbol)}&limit=1000&fromId=${firstId}`,
  parse: ({ symbol }, status, body) => {
    if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
    try {
      return parseHistory(symbol, body);
    } catch (error) {
      return { kind: 'failed', why: (error as Error).message };
    }
  },
};

/** @throws JsonError */
function parseHistory(symbol: string, body: string): BackfillAnswer {
  const { value, textsOf } = parseJsonWithTexts(body);
  if (!Array.isArray(value)) return { kind: 'failed', why: 'not a list of trades' };
  const texts = textsOf(value);
  const trades: BackfilledTrade[] = [];
  for (const [index, element] of value.entries()) {
    const trade = readPastTrade(symbol, element);
    const text = texts[index] ?? '';
    if (trade === null) return { kind: 'failed', why: `not a trade: ${text.slice(0, 200)}` };
    trades.push({ trade, text });
  }
  return { kind: 'trades', trades };
}

function readPastTrade(symbol: string, element: LosslessJson): Trade | null {
  if (!isJsonObject(element)) return null;
  const { id, price, qty: quantity, time, isBuyerMaker } = element;
  if (!(id instanceof JsonNumber) || !/^\d{1,20}$/.test(id.text)) return null;
  const exchangeTimeMs = time instanceof JsonNumber ? Number(time.text) : null;
  if (!isTime(exchangeTimeMs) || !isDecimal(price) || !isDecimal(quantity)) return null;
  if (typeof isBuyerMaker !== 'boolean') return null;
  const ids = { sequenceNumber: null, buyerOrderId: null, sellerOrderId: null };
  const side = isBuyerMaker ? 'SELL' : 'BUY';
  return { symbol, tradeId: id.text, price, quantity, side, exchangeTimeMs, isBuyerMaker, ...ids };
}

export const binance: Exchange = {
  webSocketUrl: 'wss://stream.binance.com:9443',
  restUrl: 'https://api.binance.com',
  limits: {
    messagesPerSecond: 5,
    symbolsPerConnection: 1024,
    connects: { count: 300, windowMs: 300_000 },
    lifetimeMs: 24 * 3_600_000,
  },
  keepalive: null,
  continuity: { kind: 'consecutive' },
  backfill,
  // The exchange pings every 20 s: three in a row are missing.
  silenceMsMax: 60_000,
  connectUrl: (webSocketUrl) => `${webSocketUrl}/stream`,
  subscribe,
  parse,
  listing: {
    symbolsPerRequestMax,
    // Weight 20 of 6,000 a minute, whatever the number of symbols.
    requestUrl: (restUrl, symbols) =>
      `${restUrl}/api/v3/exchangeInfo?showPermissionSets=false&symbols=${encodeURIComponent(JSON.stringify(symbols))}`,
    parse: parseListings,
  },
};
