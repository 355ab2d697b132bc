// Bybit spot: trades of the publicTrade topic.
// https://bybit-exchange.github.io/docs/v5/websocket/public/trade
import { isDecimal } from '../decimal.ts';
import { isJsonObject, type Json, JsonNumber, type JsonObject, readJson, wrong } from '../json.ts';
import { readMilliseconds } from '../time.ts';
import type { Trade } from '../trade.ts';
import type { Exchange, Listing, ListingAnswer, Parsed, Request } from './exchange.ts';

/** One answer lists every symbol, 557 in August 2026: https://bybit-exchange.github.io/docs/v5/market/instrument */
const symbolsPerRequestMax = 10_000;

const topicPrefix = 'publicTrade.';

/** https://bybit-exchange.github.io/docs/v5/ws/connect: args of one request, on spot. */
const symbolsPerSubscribeMax = 10;

/** As many as a request takes: no history repairs what is missed until the last is subscribed. */
function subscribe(symbols: string[], firstId: number): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at < symbols.length; at += symbolsPerSubscribeMax) {
    const part = symbols.slice(at, at + symbolsPerSubscribeMax);
    const id = String(firstId + requests.length);
    const args = part.map((symbol) => topicPrefix + symbol);
    requests.push({ id, text: JSON.stringify({ req_id: id, op: 'subscribe', args }), symbols: part });
  }
  return requests;
}

function parse(frame: Buffer): Parsed {
  const message = readJson(frame.toString());
  if (message === undefined) return { kind: 'unreadable', why: 'not JSON' };
  if (!isJsonObject(message)) return { kind: 'unreadable', why: 'not a JSON object' };
  const { topic, op, success } = message;
  if (typeof topic === 'string') {
    return topic.startsWith(topicPrefix)
      ? parseTrades(message.data)
      : { kind: 'ignored', what: topic.split('.', 1).join() };
  }
  // The answer to our ping; its op is ping on this host, pong on others.
  if (op === 'ping' || op === 'pong') return { kind: 'heartbeat' };
  if (success === false) return parseRefusal(message);
  if (op === 'subscribe') return { kind: 'subscribed', requestId: readRequestId(message), symbols: null };
  if (typeof op === 'string') return { kind: 'ignored', what: op };
  return { kind: 'unreadable', why: 'neither topic nor op' };
}

/**
 * Not documented; seen by public clients: `Invalid symbol :[publicTrade.NOPEUSDT]`, `args size >10`. It names the wrong
 * topic, but all of its request are refused: no symbol is given, so that the request is asked again in parts.
 */
function parseRefusal(message: JsonObject): Parsed {
  const { ret_msg: reason } = message;
  const why = typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
  return { kind: 'rejected', requestId: readRequestId(message), symbols: null, why };
}

/** Empty or left out where the request had none. */
const readRequestId = ({ req_id: id }: JsonObject) => (typeof id === 'string' && id !== '' ? id : null);

/** Up to 1,024 trades of one symbol, in the order of their matching. Their type is snapshot though all are new. */
function parseTrades(data: Json | undefined): Parsed {
  if (!Array.isArray(data)) return { kind: 'unreadable', why: 'data is not a list' };
  const trades: Trade[] = [];
  for (const element of data) {
    const trade = isJsonObject(element) ? readTrade(element) : 'trade is not an object';
    if (typeof trade === 'string') return { kind: 'unreadable', why: trade };
    trades.push(trade);
  }
  return trades.length > 0 ? { kind: 'trades', trades } : { kind: 'ignored', what: 'publicTrade without a trade' };
}

/** @returns the trade, or why it cannot be read */
function readTrade({
  s: symbol,
  i: tradeId,
  p: price,
  v: quantity,
  S: takerSide,
  T: time,
  seq,
}: JsonObject): Trade | string {
  const exchangeTimeMs = time instanceof JsonNumber ? readMilliseconds(time.text) : null;
  if (typeof symbol !== 'string' || symbol === '') return wrong('s', symbol, 'a symbol');
  if (!isId(tradeId)) return wrong('i', tradeId, 'an id');
  if (!isDecimal(price)) return wrong('p', price, 'a decimal');
  if (!isDecimal(quantity)) return wrong('v', quantity, 'a decimal');
  if (takerSide !== 'Buy' && takerSide !== 'Sell') return wrong('S', takerSide, 'Buy or Sell');
  if (exchangeTimeMs === null) return wrong('T', time, 'a time in milliseconds');
  return {
    symbol,
    tradeId,
    price,
    quantity,
    side: takerSide === 'Buy' ? 'BUY' : 'SELL',
    exchangeTimeMs,
    sequenceNumber: readSequence(seq),
    isBuyerMaker: takerSide === 'Sell',
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

/** Digits beyond 2^53 on spot, a UUID elsewhere. */
const isId = (value: Json | undefined): value is string => typeof value === 'string' && /^[\w-]{1,64}$/.test(value);

/** Orders the trades of a symbol, but several share one. */
function readSequence(value: Json | undefined): number | null {
  const sequence = value instanceof JsonNumber ? Number(value.text) : Number.NaN;
  return Number.isSafeInteger(sequence) && sequence >= 0 ? sequence : null;
}

function parseListings(status: number, body: string): ListingAnswer {
  if (status !== 200) return { kind: 'failed', why: `status ${status}: ${body.slice(0, 200)}` };
  const answer = readJson(body);
  const { retCode, retMsg, result } = isJsonObject(answer) ? answer : {};
  if (!(retCode instanceof JsonNumber)) return { kind: 'failed', why: `no retCode: ${body.slice(0, 80)}` };
  if (retCode.text !== '0') return { kind: 'failed', why: `${retMsg ?? 'no reason given'} (retCode ${retCode.text})` };
  const list = isJsonObject(result) ? result.list : undefined;
  if (!Array.isArray(list)) return { kind: 'failed', why: `no list of symbols: ${body.slice(0, 80)}` };
  const listings: Listing[] = [];
  for (const entry of list) {
    const { symbol, baseCoin, quoteCoin } = isJsonObject(entry) ? entry : {};
    if (typeof symbol !== 'string' || typeof baseCoin !== 'string' || typeof quoteCoin !== 'string') {
      return { kind: 'failed', why: 'an entry has no symbol, baseCoin or quoteCoin' };
    }
    listings.push({ symbol, canonicalSymbol: `${baseCoin}/${quoteCoin}` });
  }
  return { kind: 'listed', listings };
}

export const bybit: Exchange = {
  webSocketUrl: 'wss://stream.bybit.com',
  restUrl: 'https://api.bybit.com',
  // https://bybit-exchange.github.io/docs/v5/ws/connect
  limits: {
    // Not documented.
    messagesPerSecond: 10,
    // The args of a connection may take 21,000 characters; these take 42 each, and the longest of 2026 took 29.
    symbolsPerConnection: 500,
    connects: { count: 500, windowMs: 300_000 },
    lifetimeMs: null,
  },
  keepalive: { text: '{"op":"ping"}', intervalMs: 20_000 },
  // Three answers to our pings are missing.
  silenceMsMax: 60_000,
  // Documented of the ids in v3, https://bybit-exchange.github.io/doc-v3-offline/spot/ws-public/public-trade; those of v5
  // jump in recordings, too.
  continuity: { kind: 'none', why: 'its trade ids are shared between symbols, so that a jump proves nothing' },
  // https://bybit-exchange.github.io/docs/v5/market/recent-trade: the last 60 trades of a spot symbol, without paging.
  // They reach back some seconds, and nothing proves that they reach back far enough.
  backfill: null,
  connectUrl: (webSocketUrl) => `${webSocketUrl}/v5/public/spot`,
  subscribe,
  parse,
  listing: {
    symbolsPerRequestMax,
    requestUrl: (restUrl) => `${restUrl}/v5/market/instruments-info?category=spot`,
    parse: parseListings,
  },
};
