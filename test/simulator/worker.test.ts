// The worker's own readers against the simulator: base addresses, requests, frames, metadata and history fit together.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Exchange, Listing } from '../../worker/exchanges/exchange.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import type { Trade } from '../../worker/trade.ts';
import type { MadeTrade } from './control.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { collect, TestClient } from './test-client.ts';

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, symbols: ['BTCUSDT', 'BTC/USD'] });
});
afterEach(() => simulator.close());

const canonicalSymbol = 'BTC/USDT';

async function listingOf(id: string, { listing }: Exchange): Promise<Listing> {
  const symbol = id === 'kraken' ? 'BTC/USDT' : id === 'binance' || id === 'bybit' ? 'BTCUSDT' : 'BTC-USDT';
  const response = await fetch(listing.requestUrl(`${simulator.url}/${id}`, [symbol]));
  const answer = listing.parse(response.status, await response.text());
  const found = answer.kind === 'listed' && answer.listings.find((one) => one.canonicalSymbol === canonicalSymbol);
  if (!found || found.symbol !== symbol) throw new Error(`${id} does not list ${symbol}: ${JSON.stringify(answer)}`);
  return found;
}

/** Trades that the worker reads from frames, as soon as there are as many. */
async function tradesOf(client: TestClient, exchange: Exchange, count: number): Promise<Trade[]> {
  for (;;) {
    const parsed = client.frames.map((frame) => exchange.parse(Buffer.from(frame)));
    expect(parsed.filter(({ kind }) => kind === 'rejected' || kind === 'unreadable')).toEqual([]);
    const trades = parsed.flatMap((frame) => (frame.kind === 'trades' ? frame.trades : []));
    if (trades.length >= count) return trades.sort((a, b) => (BigInt(a.tradeId) < BigInt(b.tradeId) ? -1 : 1));
    await client.received(client.frames.length + 1);
  }
}

const asMade = ({ symbol, tradeId, price, quantity, side, exchangeTimeMs }: Trade): MadeTrade => ({
  ...{ symbol, id: tradeId, price, quantity, timeUs: Number(exchangeTimeMs) * 1000 },
  takerSide: side === 'BUY' ? 'buy' : 'sell',
});
const inMilliseconds = (trade: MadeTrade) => ({ ...trade, timeUs: Math.floor(trade.timeUs / 1000) * 1000 });

describe.each(Object.entries(exchanges))('the worker on %s', (id, exchange) => {
  test('reads every trade exactly as it was made', async () => {
    await simulator.setSettings({ snapshotTrades: 0 });
    const listing = await listingOf(id, exchange);
    const client = await TestClient.connect(exchange.connectUrl(`${simulator.webSocketUrl}/${id}`));
    const requests = exchange.subscribe([listing.symbol], 1);
    for (const request of requests) await client.ask(request.text);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 300 });
    const made = await collect(simulator.made({ symbol: 'BTCUSDT', exchange: id }));
    const trades = await tradesOf(client, exchange, made.length);
    expect(trades.map(asMade)).toEqual(made.map(inMilliseconds));
  });
});

const withHistory = Object.entries(exchanges).flatMap(([id, exchange]) =>
  exchange.backfill ? [[id, exchange, exchange.backfill] as const] : [],
);

describe.each(withHistory)('the worker on %s', (id, exchange, backfill) => {
  test('fetches by REST what it has missed, page by page', async () => {
    const listing = await listingOf(id, exchange);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 150 });
    const made = await collect(simulator.made({ symbol: 'BTCUSDT', exchange: id }));
    const ids = made.map((trade) => BigInt(trade.id));
    const [firstId = 0n, lastId = 0n] = [ids[10], ids[140]];
    const range = { listing, firstId, lastId, afterTimeMs: Math.floor((made[9]?.timeUs ?? 0) / 1000) };
    const found = new Map<bigint, Trade>();
    for (let pages = 0; !(found.has(firstId) && found.has(lastId)) && pages < 3; pages++) {
      const response = await fetch(backfill.requestUrl(`${simulator.url}/${id}`, range));
      const answer = backfill.parse(listing, response.status, await response.text());
      if (answer.kind === 'failed') throw new Error(answer.why);
      for (const { trade } of answer.trades) found.set(BigInt(trade.tradeId), trade);
      const least = [...found.keys()].sort((a, b) => (a < b ? -1 : 1))[0];
      if (backfill.direction === 'descending' && least !== undefined) range.lastId = least - 1n;
    }
    const wanted = made.slice(10, 141);
    const fetched = wanted.map((trade) => found.get(BigInt(trade.id)));
    expect(fetched.map((trade) => [Number(trade?.price), Number(trade?.quantity), trade?.side.toLowerCase()])).toEqual(
      wanted.map((trade) => [Number(trade.price), Number(trade.quantity), trade.takerSide]),
    );
  });
});
