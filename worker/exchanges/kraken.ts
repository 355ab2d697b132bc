// Kraken spot: the trade channel of WebSocket v2. Prices and quantities are bare numbers, whose digits count.
// https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/trade
import { isDecimal } from '../decimal.ts';
import {
  isJsonObject,
  type Json,
  JsonNumber,
  type JsonObject,
  parseJsonWithTexts,
  readJson,
  showJson,
  wrong,
} from '../json.ts';
import { readRfc3339Ms, readSecondsMs } from '../time.ts';
import type { Trade } from '../trade.ts';
import type {
  BackfillAnswer,
  BackfilledTrade,
  BackfillRange,
  Exchange,
  Listing,
  ListingAnswer,
  Parsed,
  Request,
} from './exchange.ts';

/** No limit is documented. A refusal need not name its symbol, and then stands for all of its request. */
const symbolsPerSubscribeMax = 20;

/** One answer lists every symbol: some 1,400 in 2026. */
const symbolsPerListingMax = 10_000;

/** https://docs.kraken.com/api-reference/market-data/get-recent-trades */
const tradesPerRequestMax = 1000;

/** The snapshots, the last 50 trades of each symbol, close the gap of a short disconnect without REST. */
function subscribe(symbols: string[], firstId: number): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at < symbols.length; at += symbolsPerSubscribeMax) {
    const symbol = symbols.slice(at, at + symbolsPerSubscribeMax);
    const id = firstId + requests.length;
    const message = { method: 'subscribe', params: { channel: 'trade', symbol, snapshot: true }, req_id: id };
    requests.push({ id: String(id), text: JSON.stringify(message), symbols: symbol });
  }
  return requests;
}

function parse(frame: Buffer): Parsed {
  const message = readJson(frame.toString());
  if (message === undefined) return { kind: 'unreadable', why: 'not JSON' };
  if (!isJsonObject(message)) return { kind: 'unreadable', why: 'not a JSON object' };
  const { channel, method } = message;
  if (channel === 'trade') return parseTrades(message.data);
  if (channel === 'heartbeat' || method === 'pong') return { kind: 'heartbeat' };
  // A status says how trading stands and what is planned for another day; none says that this connection ends.
  if (typeof channel === 'string') return { kind: 'ignored', what: channel };
  return parseAnswer(message);
}

/** One per symbol: `{"method":"subscribe","result":{..},"success":true,..}`, or `{"error":"..","success":false,..}`. */
function parseAnswer(answer: JsonObject): Parsed {
  const { method, success, result, req_id: id } = answer;
  const requestId = id instanceof JsonNumber ? id.text : null;
  const { symbol } = isJsonObject(result) ? result : answer;
  const symbols = typeof symbol === 'string' ? [symbol] : null;
  // `{"Error":"Exceeded msg rate"}`: https://docs.kraken.com/exchange/guides/websockets/introduction
  const error = answer.error ?? answer.Error;
  if (success === false || error !== undefined) {
    return { kind: 'rejected', requestId, symbols, why: typeof error === 'string' ? error : 'no reason given' };
  }
  if (method === 'subscribe' && success === true) return { kind: 'subscribed', requestId, symbols };
  return { kind: 'ignored', what: typeof method === 'string' ? method : 'no channel' };
}

/** Updates and snapshots alike: the trades of a snapshot are real, and past. */
function parseTrades(data: Json | undefined): Parsed {
  if (!Array.isArray(data)) return { kind: 'unreadable', why: 'data is not a list' };
  const trades: Trade[] = [];
  for (const element of data) {
    const trade = isJsonObject(element) ? readTrade(element) : 'trade is not an object';
    if (typeof trade === 'string') return { kind: 'unreadable', why: trade };
    trades.push(trade);
  }
  return trades.length > 0 ? { kind: 'trades', trades } : { kind: 'ignored', what: 'trade channel without a trade' };
}

/** @returns the trade, or why it cannot be read */
function readTrade(fields: JsonObject): Trade | string {
  const { symbol, trade_id: id, price, qty: quantity, side, timestamp } = fields;
  const exchangeTimeMs = readRfc3339Ms(timestamp);
  if (typeof symbol !== 'string' || symbol === '') return wrong('symbol', symbol, 'a symbol');
  if (!isId(id)) return wrong('trade_id', id, 'a whole number');
  if (!isDecimalNumber(price)) return wrong('price', price, 'a bare decimal number');
  if (!isDecimalNumber(quantity)) return wrong('qty', quantity, 'a bare decimal number');
  if (side !== 'buy' && side !== 'sell') return wrong('side', side, 'buy or sell');
  if (exchangeTimeMs === null) return wrong('timestamp', timestamp, 'a time as in RFC 3339');
  return {
    symbol,
    tradeId: id.text,
    price: price.text,
    quantity: quantity.text,
    side: side === 'sell' ? 'SELL' : 'BUY',
    exchangeTimeMs,
    sequenceNumber: null,
    // The side is the taker's.
    isBuyerMaker: side === 'sell',
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

/** A row of REST: price, volume, seconds, b or s, m or l, text, id. @returns the trade, or why it cannot be read */
function readRow([price, quantity, time, side, , , id]: Json[], symbol: string): Trade | string {
  const exchangeTimeMs = time instanceof JsonNumber ? readSecondsMs(time.text) : null;
  if (!isDecimal(price)) return wrong('price', price, 'a decimal');
  if (!isDecimal(quantity)) return wrong('volume', quantity, 'a decimal');
  if (exchangeTimeMs === null) return wrong('time', time, 'a number of seconds');
  if (side !== 'b' && side !== 's') return wrong('side', side, 'b or s');
  if (!isId(id)) return wrong('id', id, 'a whole number');
  return {
    symbol,
    tradeId: id.text,
    price,
    quantity,
    side: side === 's' ? 'SELL' : 'BUY',
    exchangeTimeMs,
    sequenceNumber: null,
    isBuyerMaker: side === 's',
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

const isId = (value: Json | undefined): value is JsonNumber =>
  value instanceof JsonNumber && /^\d{1,19}$/.test(value.text);

const isDecimalNumber = (value: Json | undefined): value is JsonNumber =>
  value instanceof JsonNumber && isDecimal(value.text);

/** From just before the millisecond that the range comes after, in which its first trade may have been, too. */
function backfillUrl(restUrl: string, { listing, afterTimeMs }: BackfillRange): string {
  const pair = encodeURIComponent(listing.restSymbol ?? listing.symbol);
  const sinceNs = afterTimeMs > 0 ? BigInt(afterTimeMs) * 1_000_000n - 1n : 0n;
  return `${restUrl}/0/public/Trades?pair=${pair}&since=${sinceNs}&count=${tradesPerRequestMax}`;
}

/** `{"error":[],"result":{"XXBTZUSD":[[..],..],"last":".."}}`; the list has one of several names that its pair has. */
function parseBackfill(listing: Listing, status: number, body: string): BackfillAnswer {
  const answer = readAnswer(status, body);
  if ('why' in answer) return { kind: 'failed', why: answer.why };
  const lists = Object.values(answer.result).filter((value) => Array.isArray(value));
  const [rows] = lists;
  if (rows === undefined || lists.length > 1) return { kind: 'failed', why: 'result has not one list of trades' };
  const trades: BackfilledTrade[] = [];
  for (const [index, text] of answer.textsOf(rows).entries()) {
    const row = rows[index];
    const trade = Array.isArray(row) ? readRow(row, listing.symbol) : 'trade is not a list';
    if (typeof trade === 'string') return { kind: 'failed', why: trade };
    trades.push({ trade, text });
  }
  return { kind: 'trades', trades };
}

type Answer = { result: JsonObject; textsOf(array: Json[]): string[] } | { why: string };

/** Errors come with status 200, too: `{"error":["EGeneral:Too many requests"]}`. */
function readAnswer(status: number, body: string): Answer {
  let answer: ReturnType<typeof parseJsonWithTexts>;
  try {
    answer = parseJsonWithTexts(body);
  } catch {
    return { why: `status ${status}, not JSON: ${body.slice(0, 80)}` };
  }
  const { error, result } = isJsonObject(answer.value) ? answer.value : {};
  if (Array.isArray(error) && error.length > 0) return { why: `status ${status}: ${error.map(showJson).join(', ')}` };
  if (status !== 200) return { why: `status ${status}: ${body.slice(0, 200)}` };
  if (!isJsonObject(result)) return { why: `result is not an object: ${body.slice(0, 80)}` };
  return { result, textsOf: answer.textsOf };
}

/**
 * Assets have their names of WebSocket v1 in `wsname`. `base` and `quote` are no help: their oldest codes have a letter
 * put before (XXBT, ZUSD), which cannot be told from the first letter of newer ones (ZEUS).
 */
function parseListings(status: number, body: string): ListingAnswer {
  const answer = readAnswer(status, body);
  if ('why' in answer) return { kind: 'failed', why: answer.why };
  const listings: Listing[] = [];
  for (const [name, pair] of Object.entries(answer.result)) {
    const { wsname, altname } = isJsonObject(pair) ? pair : {};
    // Dark pools have none: they are not streamed.
    if (wsname === undefined) continue;
    const [base, quote, more] = typeof wsname === 'string' ? wsname.split('/') : [];
    if (!base || !quote || more !== undefined || typeof altname !== 'string') {
      return { kind: 'failed', why: `pair ${name} has no wsname of base and quote, or no altname` };
    }
    const symbol = `${assetNames.get(base) ?? base}/${assetNames.get(quote) ?? quote}`;
    listings.push({ symbol, canonicalSymbol: symbol, restSymbol: altname });
  }
  return { kind: 'listed', listings };
}

/** What v2 calls otherwise than v1, whose names it refuses. */
const assetNames = new Map([
  ['XBT', 'BTC'],
  ['XDG', 'DOGE'],
]);

export const kraken: Exchange = {
  webSocketUrl: 'wss://ws.kraken.com',
  restUrl: 'https://api.kraken.com',
  // https://docs.kraken.com/exchange/guides/websockets/introduction
  limits: {
    // It varies with the load, and no figure is given.
    messagesPerSecond: 5,
    // Not documented. The snapshots of so many take 3.5 MB.
    symbolsPerConnection: 500,
    // About, and beyond it the address is banned for 10 minutes.
    connects: { count: 150, windowMs: 600_000 },
    lifetimeMs: null,
  },
  // Heartbeats come by themselves with any subscription.
  keepalive: null,
  // There is a heartbeat a second: ten are missing. The exchange advises 5 s:
  // https://docs.kraken.com/exchange/guides/websockets/reconnection
  silenceMsMax: 10_000,
  // "Sequence number, unique per book": consecutive in all recordings, but not in an example of the documentation.
  continuity: { kind: 'rising' },
  backfill: {
    direction: 'ascending',
    tradesPerRequestMax,
    // https://docs.kraken.com/exchange/guides/general/historical-data: about a second between calls. The limit is one per
    // address and pair, so that this leaves room for other feeds.
    budget: { count: 1, windowMs: 1000 },
    requestUrl: backfillUrl,
    parse: parseBackfill,
  },
  connectUrl: (webSocketUrl) => `${webSocketUrl}/v2`,
  subscribe,
  parse,
  listing: {
    symbolsPerRequestMax: symbolsPerListingMax,
    // Of a request with names, one that does not exist refuses them all; which spellings it takes is not documented.
    requestUrl: (restUrl) => `${restUrl}/0/public/AssetPairs`,
    parse: parseListings,
    // https://docs.kraken.com/api/docs/websocket-v2/trade: symbols are BASE/QUOTE, with BTC for XBT.
    canonicalOf: (symbol) => symbol,
  },
};
