// Coinbase Advanced Trade: trades of the market_trades channel. They are those of Coinbase Exchange, in other frames.
// https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
import { isDecimal } from '../decimal.ts';
import { isJsonObject, type Json, JsonNumber, type JsonObject, parseJsonWithTexts, readJson, wrong } from '../json.ts';
import { readRfc3339Ms } from '../time.ts';
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

/** One answer lists every product, 920 in August 2026. */
const symbolsPerRequestMax = 10_000;

const publicRestUrl = 'https://api.coinbase.com';

/**
 * This exchange's own REST has the newest trades only. Coinbase Exchange, where its products are traded (product_venue
 * CBE), has all of them, under the same ids: in recordings of four years, those of both feeds rise as one.
 */
const publicHistoryUrl = 'https://api.exchange.coinbase.com';

/** https://docs.cdp.coinbase.com/exchange/rest-api/pagination */
const tradesPerRequestMax = 1000;

/** Not documented; an error names no product, and then stands for all of its request. */
const symbolsPerSubscribeMax = 20;

/** One channel per message. Without heartbeats, a quiet channel is closed after 60 to 90 s. */
function subscribe(symbols: string[], firstId: number): Request[] {
  const requests = [{ id: String(firstId), text: subscribeText('heartbeats', []), symbols: [] as string[] }];
  for (let at = 0; at < symbols.length; at += symbolsPerSubscribeMax) {
    const part = symbols.slice(at, at + symbolsPerSubscribeMax);
    const id = String(firstId + requests.length);
    requests.push({ id, text: subscribeText('market_trades', part), symbols: part });
  }
  return requests;
}

const subscribeText = (channel: string, symbols: string[]) =>
  JSON.stringify({ type: 'subscribe', channel, product_ids: symbols });

function parse(frame: Buffer): Parsed {
  const message = readJson(frame.toString());
  if (message === undefined) return { kind: 'unreadable', why: 'not JSON' };
  if (!isJsonObject(message)) return { kind: 'unreadable', why: 'not a JSON object' };
  const { type, channel, events } = message;
  if (type === 'error') return { kind: 'rejected', requestId: null, symbols: null, why: readReason(message) };
  if (channel === 'market_trades') return parseTrades(events);
  if (channel === 'heartbeats') return { kind: 'heartbeat' };
  if (channel === 'subscriptions') return { kind: 'subscribed', requestId: null, symbols: readSubscribed(events) };
  if (typeof channel === 'string') return { kind: 'ignored', what: channel };
  return { kind: 'unreadable', why: 'no channel' };
}

const readReason = ({ message }: JsonObject) =>
  typeof message === 'string' && message !== '' ? message : 'no reason given';

/** All that are subscribed by now, not only those of the last request. */
function readSubscribed(events: Json | undefined): string[] | null {
  if (!Array.isArray(events)) return null;
  const lists = events.map((event) => {
    const subscriptions = isJsonObject(event) ? event.subscriptions : undefined;
    return isJsonObject(subscriptions) ? subscriptions.market_trades : undefined;
  });
  const symbols = lists.flat().filter((symbol) => typeof symbol === 'string');
  // It is not documented whether BTC-USDC is acknowledged as itself or as BTC-USD, by which it streams: this is both.
  return symbols.flatMap((symbol) => (symbol.endsWith('-USD') ? [symbol, `${symbol}C`] : [symbol]));
}

/** Events of both types: a snapshot, the last 100 trades of a product, closes the hole of a reconnect. */
function parseTrades(events: Json | undefined): Parsed {
  if (!Array.isArray(events)) return { kind: 'unreadable', why: 'events is not a list' };
  const trades: Trade[] = [];
  for (const event of events) {
    const list = isJsonObject(event) ? event.trades : undefined;
    // The exchange's other lists are null where they are empty.
    if (list === null) continue;
    if (!Array.isArray(list)) return { kind: 'unreadable', why: 'trades is not a list' };
    for (const element of list) {
      const trade = isJsonObject(element) ? readTrade(element, element.product_id) : 'trade is not an object';
      if (typeof trade === 'string') return { kind: 'unreadable', why: trade };
      trades.push(trade);
    }
  }
  return trades.length > 0 ? { kind: 'trades', trades } : { kind: 'ignored', what: 'market_trades without a trade' };
}

/** The history has ids that are bare numbers, and sides in small letters. @returns the trade, or why it is none */
function readTrade(fields: JsonObject, symbol: Json | undefined): Trade | string {
  const { trade_id: id, price, size: quantity, side, time } = fields;
  const tradeId = id instanceof JsonNumber ? id.text : id;
  const isBuyerMaker = side === 'BUY' || side === 'buy';
  const exchangeTimeMs = readRfc3339Ms(time);
  if (typeof symbol !== 'string' || symbol === '') return wrong('product_id', symbol, 'a symbol');
  if (typeof tradeId !== 'string' || !/^\d{1,20}$/.test(tradeId)) return wrong('trade_id', id, 'an id');
  if (!isDecimal(price)) return wrong('price', price, 'a decimal');
  if (!isDecimal(quantity)) return wrong('size', quantity, 'a decimal');
  if (!isBuyerMaker && side !== 'SELL' && side !== 'sell') return wrong('side', side, 'BUY or SELL');
  if (exchangeTimeMs === null) return wrong('time', time, 'a time as in RFC 3339');
  // The side is the maker's, as on Coinbase Exchange. Not documented, but measured: of trades that one taker made at
  // several prices, those marked BUY go down. Read likewise by
  // https://nautilustrader.io/docs/rust-api-latest/nautilus_coinbase/http/parse/fn.coinbase_side_to_aggressor.html
  return {
    symbol,
    tradeId,
    price,
    quantity,
    side: isBuyerMaker ? 'SELL' : 'BUY',
    exchangeTimeMs,
    // sequence_num counts the frames of a connection; it says nothing of a trade.
    sequenceNumber: null,
    isBuyerMaker,
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

/** `after` names the id that all trades of the page are older than. A configured host has to serve both interfaces. */
function backfillUrl(restUrl: string, { listing, lastId }: BackfillRange): string {
  const host = restUrl === publicRestUrl ? publicHistoryUrl : restUrl;
  const symbol = encodeURIComponent(listing.streamedAs ?? listing.symbol);
  const page = lastId === null ? '' : `&after=${lastId + 1n}`;
  return `${host}/products/${symbol}/trades?limit=${tradesPerRequestMax}${page}`;
}

/** https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades */
function parseBackfill(listing: Listing, status: number, body: string): BackfillAnswer {
  if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
  let answer: ReturnType<typeof parseJsonWithTexts>;
  try {
    answer = parseJsonWithTexts(body);
  } catch {
    return { kind: 'failed', why: `not JSON: ${body.slice(0, 80)}` };
  }
  const { value: elements, textsOf } = answer;
  if (!Array.isArray(elements)) return { kind: 'failed', why: `not a list of trades: ${body.slice(0, 80)}` };
  const symbol = listing.streamedAs ?? listing.symbol;
  const trades: BackfilledTrade[] = [];
  for (const [index, text] of textsOf(elements).entries()) {
    const element = elements[index];
    const trade = isJsonObject(element) ? readTrade(element, symbol) : 'trade is not an object';
    if (typeof trade === 'string') return { kind: 'failed', why: trade };
    trades.push({ trade, text });
  }
  return { kind: 'trades', trades };
}

function parseListings(status: number, body: string): ListingAnswer {
  if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
  const answer = readJson(body);
  const { products, pagination } = isJsonObject(answer) ? answer : {};
  if (!Array.isArray(products)) return { kind: 'failed', why: `no list of products: ${body.slice(0, 80)}` };
  // A product of the next page would be taken for one that does not exist.
  if (isJsonObject(pagination) && pagination.has_next === true) {
    return { kind: 'failed', why: `the exchange lists its products in pages, the first of ${products.length}` };
  }
  const listings: Listing[] = [];
  for (const product of products) {
    const fields: JsonObject = isJsonObject(product) ? product : {};
    const { product_id: symbol, base_currency_id: base, quote_currency_id: quote, alias } = fields;
    if (typeof symbol !== 'string' || typeof base !== 'string' || typeof quote !== 'string') {
      return { kind: 'failed', why: 'a product has no product_id, base_currency_id or quote_currency_id' };
    }
    // A future's symbol is not made of two assets.
    if (fields.product_type !== 'SPOT') continue;
    const listing = { symbol, canonicalSymbol: `${base}/${quote}` };
    // BTC-USDC is another name of BTC-USD, and comes under that. A product without an alias has its own trades.
    listings.push(typeof alias === 'string' && alias !== '' ? { ...listing, streamedAs: alias } : listing);
  }
  return { kind: 'listed', listings };
}

export const coinbaseAdvanced: Exchange = {
  webSocketUrl: 'wss://advanced-trade-ws.coinbase.com',
  restUrl: publicRestUrl,
  // https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits
  limits: {
    messagesPerSecond: 8,
    // Not documented; a snapshot of 100 trades comes for each.
    symbolsPerConnection: 100,
    connects: { count: 8, windowMs: 1000 },
    lifetimeMs: null,
  },
  keepalive: null,
  // A heartbeat comes every second: ten are missing.
  silenceMsMax: 10_000,
  continuity: { kind: 'rising' },
  backfill: {
    direction: 'descending',
    tradesPerRequestMax,
    // A third of the 10 a second of https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits.
    budget: { count: 3, windowMs: 1000 },
    requestUrl: backfillUrl,
    parse: parseBackfill,
  },
  connectUrl: (webSocketUrl) => webSocketUrl,
  subscribe,
  parse,
  listing: {
    symbolsPerRequestMax,
    requestUrl: (restUrl) => `${restUrl}/api/v3/brokerage/market/products`,
    parse: parseListings,
    // BASE-QUOTE is a spot pair; futures have three parts.
    canonicalOf: (symbol) => (/^[^-]+-[^-]+$/.test(symbol) ? symbol.replace('-', '/') : null),
  },
};
