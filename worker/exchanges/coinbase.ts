// Coinbase Exchange: trades of the matches channel.
// https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
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

/** One answer lists every product, 162 in 2021, whatever was asked for. */
const symbolsPerRequestMax = 10_000;

/** https://docs.cdp.coinbase.com/exchange/rest-api/pagination */
const tradesPerRequestMax = 1000;

/** https://docs.cdp.coinbase.com/exchange/websocket-feed/errors: sent when the exchange disconnects a client. */
const disconnectReasons = ['ErrSlowConsume', 'ErrSlowRead', 'Message too big'];

/**
 * One product each: a wrong one makes the exchange ignore its whole request, and nothing in an answer names a request.
 * https://github.com/coinbase/coinbase-pro-node/issues/174
 */
function subscribe(symbols: string[], firstId: number): Request[] {
  return symbols.map((symbol, index) => ({
    id: String(firstId + index),
    text: JSON.stringify({
      type: 'subscribe',
      channels: ['matches', 'heartbeat'].map((name) => ({ name, product_ids: [symbol] })),
    }),
    symbols: [symbol],
  }));
}

function parse(frame: Buffer): Parsed {
  const message = readJson(frame.toString());
  if (message === undefined) return { kind: 'unreadable', why: 'not JSON' };
  if (!isJsonObject(message)) return { kind: 'unreadable', why: 'not a JSON object' };
  const { type } = message;
  // last_match is the newest trade before the subscription: it closes the hole of a reconnect, or has come before.
  if (type === 'match' || type === 'last_match') return parseTrade(message);
  if (type === 'heartbeat') return { kind: 'heartbeat' };
  if (type === 'subscriptions') return { kind: 'subscribed', requestId: null, symbols: readSubscribed(message) };
  if (type === 'error') return parseError(message);
  // A ticker repeats the matches: reading both would double every trade.
  if (typeof type === 'string') return { kind: 'ignored', what: type };
  return { kind: 'unreadable', why: 'no type' };
}

function parseTrade(message: JsonObject): Parsed {
  const trade = readTrade(message, message.product_id);
  return typeof trade === 'string' ? { kind: 'unreadable', why: trade } : { kind: 'trades', trades: [trade] };
}

/** All that are subscribed by now, not only those of the last request. */
function readSubscribed({ channels }: JsonObject): string[] | null {
  if (!Array.isArray(channels)) return null;
  const matches = channels.find((channel) => isJsonObject(channel) && channel.name === 'matches');
  const symbols = isJsonObject(matches) ? matches.product_ids : [];
  return Array.isArray(symbols) ? symbols.filter((symbol) => typeof symbol === 'string') : null;
}

function parseError({ message, reason }: JsonObject): Parsed {
  const said = [message, reason].filter((text) => typeof text === 'string' && text !== '');
  const why = said.length > 0 ? said.join(': ') : 'no reason given';
  if (disconnectReasons.some((word) => why.includes(word))) return { kind: 'notice', why };
  // "BTC-XYZ is not a valid product"
  const symbol = typeof reason === 'string' ? /^(\S+-\S+) is /.exec(reason)?.[1] : undefined;
  return { kind: 'rejected', requestId: null, symbols: symbol === undefined ? null : [symbol], why };
}

/** Frames and REST answers have the same fields, but for the symbol. @returns the trade, or why it cannot be read */
function readTrade(fields: JsonObject, symbol: Json | undefined): Trade | string {
  const { price, size: quantity, side, trade_id: id, time, sequence } = fields;
  const exchangeTimeMs = readRfc3339Ms(time);
  if (typeof symbol !== 'string' || symbol === '') return wrong('product_id', symbol, 'a symbol');
  if (!(id instanceof JsonNumber) || !isId(id.text)) return wrong('trade_id', id, 'an id');
  if (!isDecimal(price)) return wrong('price', price, 'a decimal');
  if (!isDecimal(quantity)) return wrong('size', quantity, 'a decimal');
  if (side !== 'buy' && side !== 'sell') return wrong('side', side, 'buy or sell');
  if (exchangeTimeMs === null) return wrong('time', time, 'a time as in RFC 3339');
  // The side is the maker's: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels#match
  const isBuyerMaker = side === 'buy';
  return {
    symbol,
    tradeId: id.text,
    price,
    quantity,
    side: isBuyerMaker ? 'SELL' : 'BUY',
    exchangeTimeMs,
    sequenceNumber: readSequence(sequence),
    isBuyerMaker,
    // The exchange's order ids are no numbers.
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

/** At most 2^64. */
const isId = (text: string) => /^\d{1,20}$/.test(text);

/** It counts all events of a product, so that its jumps mean nothing here; REST answers have none. */
function readSequence(value: Json | undefined): number | null {
  const sequence = value instanceof JsonNumber && isId(value.text) ? Number(value.text) : Number.NaN;
  return Number.isSafeInteger(sequence) ? sequence : null;
}

/** `after` names the id that all trades of the page are older than. */
function backfillUrl(restUrl: string, { listing, lastId }: BackfillRange): string {
  const page = lastId === null ? '' : `&after=${lastId + 1n}`;
  return `${restUrl}/products/${encodeURIComponent(listing.symbol)}/trades?limit=${tradesPerRequestMax}${page}`;
}

function parseBackfill({ symbol }: Listing, status: number, body: string): BackfillAnswer {
  if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
  let answer: ReturnType<typeof parseJsonWithTexts>;
  try {
    answer = parseJsonWithTexts(body);
  } catch {
    return { kind: 'failed', why: `not JSON: ${body.slice(0, 80)}` };
  }
  const { value: elements, textsOf } = answer;
  if (!Array.isArray(elements)) return { kind: 'failed', why: `not a list of trades: ${body.slice(0, 80)}` };
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
  const products = readJson(body);
  if (!Array.isArray(products)) return { kind: 'failed', why: `not a list of products: ${body.slice(0, 80)}` };
  const listings: Listing[] = [];
  for (const product of products) {
    const { id, base_currency: base, quote_currency: quote } = isJsonObject(product) ? product : {};
    if (typeof id !== 'string' || typeof base !== 'string' || typeof quote !== 'string') {
      return { kind: 'failed', why: 'a product has no id, base_currency or quote_currency' };
    }
    listings.push({ symbol: id, canonicalSymbol: `${base}/${quote}` });
  }
  return { kind: 'listed', listings };
}

export const coinbase: Exchange = {
  webSocketUrl: 'wss://ws-feed.exchange.coinbase.com',
  restUrl: 'https://api.exchange.coinbase.com',
  // https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits
  limits: {
    // Half of the 100 that the exchange allows an address: several feeds may share it.
    messagesPerSecond: 50,
    // Not documented. The exchange ends a connection that is read too slowly, and asks to spread busy products.
    symbolsPerConnection: 100,
    connects: { count: 8, windowMs: 1000 },
    lifetimeMs: null,
  },
  keepalive: null,
  // Every product has a heartbeat a second: ten are missing.
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
    requestUrl: (restUrl) => `${restUrl}/products`,
    parse: parseListings,
    // BASE-QUOTE in every product.
    canonicalOf: (symbol) => (/^[^-]+-[^-]+$/.test(symbol) ? symbol.replace('-', '/') : null),
  },
};
