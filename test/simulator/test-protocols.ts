// How a client of each exchange subscribes and reads trades, written for the tests from the exchanges' documentation.
import type { MadeTrade } from './control.ts';

export interface TestProtocol {
  exchange: string;
  path: string;
  /** How it spells BTC/USDT. */
  symbol: string;
  /** Messages that subscribe to a symbol's trades. */
  subscribe(symbol: string): object[];
  /** Trades of one frame in the order of their ids; none for any other frame. Times are cut to milliseconds. */
  read(frame: string): MadeTrade[];
}

type Fields = Record<string, string>;

/** Every value as its text in the frame: bare numbers keep their digits. */
const parse = (frame: string) =>
  JSON.parse(frame, (_, value, context?: { source?: string }) => (typeof value === 'number' ? context?.source : value));

const opposite = { buy: 'sell', sell: 'buy' } as const;
const side = (text: string | undefined): 'buy' | 'sell' => (text?.toLowerCase() === 'buy' ? 'buy' : 'sell');
const isoUs = (text = '') => Date.parse(text) * 1000;
const made = (symbol = '', id = '', price = '', quantity = '', takerSide: 'buy' | 'sell' = 'buy', timeUs = 0) => ({
  ...{ symbol, id, price, quantity, takerSide, timeUs },
});

const coinbaseTrade = (t: Fields, id = t.trade_id) =>
  made(t.product_id, id, t.price, t.size, opposite[side(t.side)], isoUs(t.time));

export const protocols: TestProtocol[] = [
  {
    exchange: 'binance',
    path: '/binance/ws',
    symbol: 'BTCUSDT',
    subscribe: (symbol) => [{ method: 'SUBSCRIBE', params: [`${symbol.toLowerCase()}@trade`], id: 1 }],
    read(frame) {
      const t = parse(frame);
      return t.e === 'trade' ? [made(t.s, t.t, t.p, t.q, t.m ? 'sell' : 'buy', Number(t.T) * 1000)] : [];
    },
  },
  {
    exchange: 'kraken',
    path: '/kraken/v2',
    symbol: 'BTC/USDT',
    subscribe: (symbol) => [{ method: 'subscribe', params: { channel: 'trade', symbol: [symbol] } }],
    read(frame) {
      const { channel, data } = parse(frame);
      const trade = (t: Fields) => made(t.symbol, t.trade_id, t.price, t.qty, side(t.side), isoUs(t.timestamp));
      return channel === 'trade' ? data.map(trade) : [];
    },
  },
  {
    exchange: 'coinbase',
    path: '/coinbase',
    symbol: 'BTC-USDT',
    subscribe: (symbol) => [{ type: 'subscribe', channels: ['matches'], product_ids: [symbol] }],
    read(frame) {
      const t = parse(frame);
      return t.type === 'match' || t.type === 'last_match' ? [coinbaseTrade(t)] : [];
    },
  },
  {
    exchange: 'coinbase-advanced',
    path: '/coinbase-advanced',
    symbol: 'BTC-USDT',
    subscribe: (symbol) => [{ type: 'subscribe', channel: 'market_trades', product_ids: [symbol] }],
    read(frame) {
      const { channel, events } = parse(frame);
      if (channel !== 'market_trades') return [];
      return events.flatMap(({ trades }: { trades: Fields[] }) => trades.map((t) => coinbaseTrade(t))).reverse();
    },
  },
  {
    exchange: 'okx',
    path: '/okx/ws/v5/business',
    symbol: 'BTC-USDT',
    subscribe: (symbol) => [{ op: 'subscribe', args: [{ channel: 'trades-all', instId: symbol }] }],
    read(frame) {
      const { arg, data = [] } = frame === 'pong' ? { arg: null } : parse(frame);
      const trade = (t: Fields) => made(t.instId, t.tradeId, t.px, t.sz, side(t.side), Number(t.ts) * 1000);
      return arg?.channel === 'trades-all' ? data.map(trade) : [];
    },
  },
  {
    exchange: 'bybit',
    path: '/bybit/v5/public/spot',
    symbol: 'BTCUSDT',
    subscribe: (symbol) => [{ op: 'subscribe', args: [`publicTrade.${symbol}`] }],
    read(frame) {
      const { topic, data } = parse(frame);
      const trade = (t: Fields) => made(t.s, t.i, t.p, t.v, side(t.S), Number(t.T) * 1000);
      return topic ? data.map(trade) : [];
    },
  },
];

/** As a client sees it: exchanges send milliseconds at least. */
export const inMilliseconds = (trade: MadeTrade): MadeTrade => ({
  ...trade,
  timeUs: Math.floor(trade.timeUs / 1000) * 1000,
});
