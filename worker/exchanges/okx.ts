// OKX spot: every single trade, from the trades-all channel of the business address.
// https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-all-trades-channel
import { isDecimal } from '../decimal.ts';
import { isJsonObject, type Json, JsonNumber, type JsonObject, parseJsonWithTexts, readJson, wrong } from '../json.ts';
import { readMilliseconds } from '../time.ts';
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

/** All channels may take 64 KB: https://www.okx.com/docs-v5/en/#overview-websocket-subscribe */
const requestBytesMax = 60_000;

/** One answer lists every symbol: some 900 in 2026. */
const symbolsPerListingMax = 10_000;

/** https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history */
const tradesPerRequestMax = 100;

/** An error may quote all of its request. */
const wordsMax = 200;

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
function largestRequest(symbols: string[], firstId: number): Request {
  const id = String(firstId);
  const build = (count: number) => {
    const args = symbols.slice(0, count).map((instId) => ({ channel: 'trades-all', instId }));
    return JSON.stringify({ id, op: 'subscribe', args });
  };
  let count = symbols.length;
  while (count > 1 && Buffer.byteLength(build(count)) > requestBytesMax) count = Math.ceil(count / 2);
  return { id, text: build(count), symbols: symbols.slice(0, count) };
}

function parse(frame: Buffer): Parsed {
  const text = frame.toString();
  if (text === 'pong') return { kind: 'heartbeat' };
  const message = readJson(text);
  if (message === undefined) return { kind: 'unreadable', why: 'not JSON' };
  if (!isJsonObject(message)) return { kind: 'unreadable', why: 'not a JSON object' };
  const { event, arg, data } = message;
  if (typeof event === 'string') return parseEvent(event, message);
  const { channel } = isJsonObject(arg) ? arg : {};
  if (channel === 'trades-all' || channel === 'trades') return parseTrades(data);
  return { kind: 'ignored', what: typeof channel === 'string' ? channel : 'neither event nor channel' };
}

/** Accepted symbols come one by one; of a refusal, only the words say which. */
function parseEvent(event: string, message: JsonObject): Parsed {
  const { id, arg, code, msg } = message;
  const requestId = typeof id === 'string' ? id : null;
  const why = readWords(msg, code);
  switch (event) {
    case 'subscribe': {
      const { instId } = isJsonObject(arg) ? arg : {};
      return { kind: 'subscribed', requestId, symbols: typeof instId === 'string' ? [instId] : null };
    }
    case 'error': {
      // "Wrong URL or channel:trades-all,instId:BTC-USDX doesn't exist."
      const symbol = /instId:\s*([^\s,]+) doesn't exist/.exec(why)?.[1];
      return { kind: 'rejected', requestId, symbols: symbol === undefined ? null : [symbol], why };
    }
    case 'notice':
      // 64008, a minute before the service is restarted: https://www.okx.com/docs-v5/en/#overview-websocket-notification
      return { kind: 'notice', why };
    default:
      return { kind: 'ignored', what: event };
  }
}

/** The exchange's own. */
function readWords(msg: Json | undefined, code: Json | undefined): string {
  const words = typeof msg === 'string' && msg !== '' ? msg.slice(0, wordsMax) : 'no reason given';
  return `${words} (code ${typeof code === 'string' ? code : 'none'})`;
}

function parseTrades(data: Json | undefined): Parsed {
  if (!Array.isArray(data)) return { kind: 'unreadable', why: 'data is not a list' };
  const trades: Trade[] = [];
  for (const element of data) {
    const trade = isJsonObject(element) ? readTrade(element) : 'trade is not an object';
    if (typeof trade === 'string') return { kind: 'unreadable', why: trade };
    trades.push(trade);
  }
  return trades.length > 0 ? { kind: 'trades', trades } : { kind: 'ignored', what: 'channel without a trade' };
}

/** Frames and REST answers have the same fields. @returns the trade, or why it cannot be read */
function readTrade(fields: JsonObject): Trade | string {
  const { instId: symbol, tradeId, px: price, sz: quantity, side, ts, count, seqId } = fields;
  const exchangeTimeMs = readMilliseconds(ts);
  // The trades channel, which is not asked for, may sum up several trades under the last one's id. Taken for one trade
  // it would be counted twice: REST gives the others one by one.
  if (count !== undefined && count !== '1') return wrong('count', count, '"1"');
  if (typeof symbol !== 'string' || symbol === '') return wrong('instId', symbol, 'a symbol');
  if (!isId(tradeId)) return wrong('tradeId', tradeId, 'a whole number as text');
  if (!isDecimal(price)) return wrong('px', price, 'a decimal');
  if (!isDecimal(quantity)) return wrong('sz', quantity, 'a decimal');
  if (side !== 'buy' && side !== 'sell') return wrong('side', side, 'buy or sell');
  if (exchangeTimeMs === null) return wrong('ts', ts, 'a time in milliseconds as text');
  return {
    symbol,
    tradeId,
    price,
    quantity,
    side: side === 'sell' ? 'SELL' : 'BUY',
    exchangeTimeMs,
    sequenceNumber: readSequence(seqId),
    // The side is the taker's.
    isBuyerMaker: side === 'sell',
    buyerOrderId: null,
    sellerOrderId: null,
  };
}

const isId = (value: Json | undefined): value is string => typeof value === 'string' && /^\d{1,19}$/.test(value);

/** Sent by the trades channel only. It is not what proves that no trade is missing: one beyond 2^53 is left out. */
function readSequence(value: Json | undefined): number | null {
  const sequence = value instanceof JsonNumber && /^\d{1,16}$/.test(value.text) ? Number(value.text) : Number.NaN;
  return Number.isSafeInteger(sequence) ? sequence : null;
}

/** Pages by id, newest first; `after` names the id that all trades of the page are older than. */
function backfillUrl(restUrl: string, { listing, lastId }: BackfillRange): string {
  const page = lastId === null ? '' : `&after=${lastId + 1n}`;
  const symbol = encodeURIComponent(listing.symbol);
  return `${restUrl}/api/v5/market/history-trades?instId=${symbol}&type=1&limit=${tradesPerRequestMax}${page}`;
}

function parseBackfill(listing: Listing, status: number, body: string): BackfillAnswer {
  const answer = readAnswer(status, body);
  if ('why' in answer) return { kind: 'failed', why: answer.why };
  const trades: BackfilledTrade[] = [];
  for (const { value, text } of answer.elements) {
    const trade = isJsonObject(value) ? readTrade(value) : 'trade is not an object';
    if (typeof trade === 'string') return { kind: 'failed', why: trade };
    if (trade.symbol !== listing.symbol)
      return { kind: 'failed', why: `trade of ${trade.symbol}, not ${listing.symbol}` };
    trades.push({ trade, text });
  }
  return { kind: 'trades', trades };
}

type Answer = { elements: { value: Json | undefined; text: string }[] } | { why: string };

/** `{"code":"0","msg":"","data":[..]}`. */
function readAnswer(status: number, body: string): Answer {
  let answer: ReturnType<typeof parseJsonWithTexts>;
  try {
    answer = parseJsonWithTexts(body);
  } catch {
    return { why: `status ${status}, not JSON: ${body.slice(0, 80)}` };
  }
  const { code, msg, data } = isJsonObject(answer.value) ? answer.value : {};
  if (status !== 200 || code !== '0') return { why: `status ${status}: ${readWords(msg, code)}` };
  if (!Array.isArray(data)) return { why: `data is not a list: ${body.slice(0, 80)}` };
  return { elements: answer.textsOf(data).map((text, index) => ({ value: data[index], text })) };
}

function parseListings(status: number, body: string): ListingAnswer {
  const answer = readAnswer(status, body);
  if ('why' in answer) return { kind: 'failed', why: answer.why };
  const listings: Listing[] = [];
  for (const { value, text } of answer.elements) {
    const { instId, baseCcy, quoteCcy } = isJsonObject(value) ? value : {};
    if (typeof instId !== 'string' || typeof baseCcy !== 'string' || typeof quoteCcy !== 'string') {
      return { kind: 'failed', why: `an instrument has no instId, baseCcy or quoteCcy: ${text.slice(0, 80)}` };
    }
    // Instruments of other markets have no currencies.
    if (baseCcy !== '' && quoteCcy !== '') listings.push({ symbol: instId, canonicalSymbol: `${baseCcy}/${quoteCcy}` });
  }
  return { kind: 'listed', listings };
}

export const okx: Exchange = {
  webSocketUrl: 'wss://ws.okx.com:8443',
  restUrl: 'https://www.okx.com',
  // https://www.okx.com/docs-v5/en/#overview-websocket-connect
  limits: {
    // 480 subscribing messages an hour; what else a client may send is not documented.
    messagesPerSecond: 3,
    // Not documented for public channels. So many fit one message, whichever way the 64 KB are counted.
    symbolsPerConnection: 500,
    connects: { count: 3, windowMs: 1000 },
    lifetimeMs: null,
  },
  // A connection on which nothing comes for 30 s is cut; the answer to this is pong.
  keepalive: { text: 'ping', intervalMs: 20_000 },
  // The answer to our ping is 10 s late.
  silenceMsMax: 30_000,
  // "Trade ID" is all that is documented; in recordings of the trades channel they are consecutive.
  continuity: { kind: 'rising' },
  backfill: {
    direction: 'descending',
    tradesPerRequestMax,
    // Half of the 20 that an address may send in 2 s.
    budget: { count: 10, windowMs: 2000 },
    requestUrl: backfillUrl,
    parse: parseBackfill,
  },
  connectUrl: (webSocketUrl) => `${webSocketUrl}/ws/v5/business`,
  subscribe,
  parse,
  listing: {
    symbolsPerRequestMax: symbolsPerListingMax,
    // https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments: all, or one by one.
    requestUrl: (restUrl) => `${restUrl}/api/v5/public/instruments?instType=SPOT`,
    parse: parseListings,
    // BASE-QUOTE is a spot pair; futures and swaps have three parts.
    canonicalOf: (symbol) => (/^[^-]+-[^-]+$/.test(symbol) ? symbol.replace('-', '/') : null),
  },
};
