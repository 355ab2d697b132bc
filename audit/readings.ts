// An independent reading of raw records, written anew from the exchanges' documentation. It shares no code with the
// worker, so that no error there hides here; it is small, because it reads trades only and knows no other frames.
import { type Fields, fields, list, readExactly, text } from './exact-json.ts';
import type { Trade } from './trade.ts';

type Side = Trade['side'];

interface Reading {
  /** What its ids prove. Null: each id is the one before plus 1; else why they prove nothing. */
  whyNoProof: string | null;
  /** Some numbers that count are bare: they are always read from their text. */
  bareDecimals?: true;
  /** Trades of a frame; a frame of another kind has none. @throws Error what is wrong with it */
  frame(message: Fields): Trade[];
  /** A trade of the exchange's REST history. @throws Error what is wrong with it */
  element(element: unknown, symbol: string): Trade;
  /** Under which symbol a trade is written that is streamed as another, if the record's key says so. */
  symbolOf?(streamed: string, key: string | null): string;
  /** What the canonical symbol is made of, as the symbol spells it. */
  separator: string;
}

const buyOrSell = (value: unknown): Side => {
  const side = text(value, 'side').toUpperCase();
  if (side !== 'BUY' && side !== 'SELL') throw new Error(`side ${side} is neither buy nor sell`);
  return side;
};

/** Who took, from whether the buyer was the maker. */
const taker = (isBuyerMaker: unknown, name: string): Side => {
  if (typeof isBuyerMaker !== 'boolean') throw new Error(`${name} is neither true nor false`);
  return isBuyerMaker ? 'SELL' : 'BUY';
};

const opposite = (side: Side): Side => (side === 'BUY' ? 'SELL' : 'BUY');

const decimal = (value: unknown, name: string): string => {
  const digits = text(value, name);
  if (!/^\d+(\.\d+)?$/.test(digits)) throw new Error(`${name} ${digits} is not a decimal`);
  return digits;
};

const whole = (value: unknown, name: string): string => {
  const digits = text(value, name);
  if (!/^\d+$/.test(digits)) throw new Error(`${name} ${digits} is not a whole number`);
  return digits;
};

/** A count that says no more than the trade itself: null where there is none, or where it is beyond 2^53. */
const count = (value: unknown, name: string): number | null => {
  if (value === undefined || value === null) return null;
  const number = Number(whole(value, name));
  return Number.isSafeInteger(number) ? number : null;
};

/** RFC 3339 with a fraction of any length, which is cut off. */
const rfc3339Ms = (value: unknown, name: string): number => {
  const time = text(value, name);
  const [, second, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  const ms = Date.parse(`${second}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`);
  if (Number.isNaN(ms)) throw new Error(`${name} ${time} is not a time`);
  return ms;
};

const secondsMs = (value: unknown, name: string): number => {
  const [seconds = '', fraction = ''] = decimal(value, name).split('.');
  return Number(seconds + fraction.slice(0, 3).padEnd(3, '0'));
};

const noOrders = { buyerOrderId: null, sellerOrderId: null };

/** https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#trade-streams: `m`, the buyer is the maker. */
const binance: Reading = {
  whyNoProof: null,
  separator: '',
  frame(message) {
    const trade = message.stream === undefined ? message : fields(message.data, 'data');
    if (trade.e !== 'trade') return [];
    return [
      {
        symbol: text(trade.s, 's'),
        id: whole(trade.t, 't'),
        price: decimal(trade.p, 'p'),
        quantity: decimal(trade.q, 'q'),
        side: taker(trade.m, 'm'),
        exchangeTimeMs: Number(whole(trade.T, 'T')),
        sequence: null,
        buyerOrderId: count(trade.b, 'b'),
        sellerOrderId: count(trade.a, 'a'),
      },
    ];
  },
  /** https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#old-trade-lookup */
  element(element, symbol) {
    const trade = fields(element, 'element');
    return {
      symbol,
      id: whole(trade.id, 'id'),
      price: decimal(trade.price, 'price'),
      quantity: decimal(trade.qty, 'qty'),
      side: taker(trade.isBuyerMaker, 'isBuyerMaker'),
      exchangeTimeMs: Number(whole(trade.time, 'time')),
      sequence: null,
      ...noOrders,
    };
  },
};

/** https://docs.kraken.com/api/docs/websocket-v2/trade: side is the taker's. */
const kraken: Reading = {
  whyNoProof: null,
  bareDecimals: true,
  separator: '/',
  frame(message) {
    if (message.channel !== 'trade') return [];
    return list(message.data, 'data').map((element) => {
      const trade = fields(element, 'trade');
      return {
        symbol: text(trade.symbol, 'symbol'),
        id: whole(trade.trade_id, 'trade_id'),
        price: decimal(trade.price, 'price'),
        quantity: decimal(trade.qty, 'qty'),
        side: buyOrSell(trade.side),
        exchangeTimeMs: rfc3339Ms(trade.timestamp, 'timestamp'),
        sequence: null,
        ...noOrders,
      };
    });
  },
  /** https://docs.kraken.com/api/docs/rest-api/get-recent-trades: price, volume, time, b or s, m or l, text, id. */
  element(element, symbol) {
    const [price, volume, time, side, , , id] = list(element, 'element');
    return {
      symbol,
      id: whole(id, 'id'),
      price: decimal(price, 'price'),
      quantity: decimal(volume, 'volume'),
      side: buyOrSell({ b: 'buy', s: 'sell' }[text(side, 'side')]),
      exchangeTimeMs: secondsMs(time, 'time'),
      sequence: null,
      ...noOrders,
    };
  },
};

/** https://docs.cdp.coinbase.com/exchange/websocket-feed/channels#match and REST alike: side is the maker's. */
const coinbaseTrade = (element: unknown, symbol: string): Trade => {
  const trade = fields(element, 'trade');
  return {
    symbol,
    id: whole(trade.trade_id, 'trade_id'),
    price: decimal(trade.price, 'price'),
    quantity: decimal(trade.size, 'size'),
    side: opposite(buyOrSell(trade.side)),
    exchangeTimeMs: rfc3339Ms(trade.time, 'time'),
    sequence: count(trade.sequence, 'sequence'),
    ...noOrders,
  };
};

const coinbase: Reading = {
  whyNoProof: null,
  separator: '-',
  frame(message) {
    const isMatch = message.type === 'match' || message.type === 'last_match';
    return isMatch ? [coinbaseTrade(message, text(message.product_id, 'product_id'))] : [];
  },
  element: coinbaseTrade,
};

/** Its trades are those of Coinbase Exchange, whose history repairs it; BTC-USDC is streamed as BTC-USD. */
const coinbaseAdvanced: Reading = {
  whyNoProof: null,
  separator: '-',
  frame(message) {
    if (message.channel !== 'market_trades') return [];
    const trades = list(message.events, 'events').flatMap((event) =>
      list(fields(event, 'event').trades ?? [], 'trades'),
    );
    return trades.map((element) => {
      const trade = fields(element, 'trade');
      return { ...coinbaseTrade(trade, text(trade.product_id, 'product_id')), sequence: null };
    });
  },
  element: coinbaseTrade,
  symbolOf: (streamed, key) => (key === `${streamed}C` && streamed.endsWith('-USD') ? key : streamed),
};

/** https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-all-trades-channel: side is the taker's. */
const okxTrade = (element: unknown): Trade => {
  const trade = fields(element, 'trade');
  if (trade.count !== undefined && trade.count !== '1') throw new Error(`count ${trade.count} sums up several trades`);
  return {
    symbol: text(trade.instId, 'instId'),
    id: whole(trade.tradeId, 'tradeId'),
    price: decimal(trade.px, 'px'),
    quantity: decimal(trade.sz, 'sz'),
    side: buyOrSell(trade.side),
    exchangeTimeMs: Number(whole(trade.ts, 'ts')),
    sequence: count(trade.seqId, 'seqId'),
    ...noOrders,
  };
};

const okx: Reading = {
  whyNoProof: null,
  separator: '-',
  frame(message) {
    const channel = message.arg === undefined ? null : fields(message.arg, 'arg').channel;
    const isTrades = (channel === 'trades' || channel === 'trades-all') && message.data !== undefined;
    return isTrades ? list(message.data, 'data').map(okxTrade) : [];
  },
  element: okxTrade,
};

/** https://bybit-exchange.github.io/docs/v5/websocket/public/trade: `S` is the taker's side. */
const bybit: Reading = {
  whyNoProof: 'its trade ids are shared between symbols',
  separator: '',
  frame(message) {
    if (typeof message.topic !== 'string' || !message.topic.startsWith('publicTrade.')) return [];
    return list(message.data, 'data').map((element) => {
      const trade = fields(element, 'trade');
      return {
        symbol: text(trade.s, 's'),
        id: text(trade.i, 'i'),
        price: decimal(trade.p, 'p'),
        quantity: decimal(trade.v, 'v'),
        side: buyOrSell(trade.S),
        exchangeTimeMs: Number(whole(trade.T, 'T')),
        sequence: count(trade.seq, 'seq'),
        ...noOrders,
      };
    });
  },
  element() {
    throw new Error('this exchange has no history to back-fill from');
  },
};

export const readings: Readonly<Record<string, Reading>> = {
  binance,
  kraken,
  coinbase,
  'coinbase-advanced': coinbaseAdvanced,
  okx,
  bybit,
};

export type { Reading };

/**
 * The trades of a raw record's value.
 * @param key the record's, which names the symbol where an element of REST does not
 * @returns why it cannot be read, a few words
 */
export function readTrades(
  reading: Reading,
  value: Buffer,
  key: string | null,
  isBackfilled: boolean,
): Trade[] | string {
  try {
    return readExactly(value.toString(), reading.bareDecimals === true || isBackfilled, (message) => {
      if (isBackfilled) return [reading.element(message, text(key, 'the key'))];
      const trades = reading.frame(fields(message, 'the frame'));
      const { symbolOf } = reading;
      return symbolOf === undefined ? trades : trades.map((it) => ({ ...it, symbol: symbolOf(it.symbol, key) }));
    });
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether the canonical symbol has the two parts that the symbol has. */
export function isCanonical({ separator }: Reading, symbol: string, canonicalSymbol: string): boolean {
  const [base, quote, more] = canonicalSymbol.split('/');
  return Boolean(base && quote) && more === undefined && symbol === `${base}${separator}${quote}`;
}
