import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../manual-clock.ts';
import { type Simulator, startSimulator } from '../simulator.ts';
import { collect, TestClient } from '../test-client.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock();
  const symbols = ['BTC/USD', 'BTC/USDC', 'ETH/USDT', 'USDT/USD'];
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock, symbols });
});
afterEach(() => simulator.close());

const connect = () => TestClient.connect(`${simulator.webSocketUrl}/coinbase-advanced`);
const request = (channel: string, ...products: string[]) => ({ type: 'subscribe', channel, product_ids: products });

interface Trade {
  product_id: string;
  trade_id: string;
  side: string;
  time: string;
}

describe('a client of Coinbase Advanced Trade', () => {
  test('gets 100 trades, newest first, before it is told what it is subscribed to', async () => {
    const client = await connect();
    client.send(request('market_trades', 'BTC-USD'));
    const [snapshot = '', ack = ''] = await client.received(2);
    expect(Object.keys(JSON.parse(snapshot))).toEqual(['channel', 'timestamp', 'sequence_num', 'events']);
    const [{ type, trades }] = JSON.parse(snapshot).events;
    expect([type, trades.length]).toEqual(['snapshot', 100]);
    expect(Object.keys(trades[0])).toEqual(['product_id', 'trade_id', 'price', 'size', 'time', 'side']);
    const ids = trades.map((trade: Trade) => Number(trade.trade_id));
    expect(ids.map((id: number) => ids[0] - id)).toEqual([...Array(100).keys()]);
    expect(JSON.parse(ack)).toMatchObject({
      channel: 'subscriptions',
      sequence_num: 1,
      events: [{ subscriptions: { market_trades: ['BTC-USD'] } }],
    });
  });

  test('gets trades of an order newest first, with the side of the maker and zeros of times cut', async () => {
    const client = await connect();
    await simulator.setSettings({ snapshotTrades: 0 });
    await client.ask(request('market_trades', 'BTC-USD'));
    await simulator.burst({ symbol: 'BTCUSD', trades: 300 });
    const sent = await collect(simulator.sent({ symbol: 'BTCUSD' }));
    const frames = (await client.received(1 + sent.length)).slice(1).map((frame) => JSON.parse(frame));
    const trades: Trade[] = frames.flatMap(({ events }) => [...events[0].trades].reverse());
    const made = await collect(simulator.made());
    expect(trades.map((trade) => trade.trade_id)).toEqual(made.map(({ id }) => id));
    const takers = trades.map((trade) => (trade.side === 'BUY' ? 'sell' : 'buy'));
    expect(takers).toEqual(made.map(({ takerSide }) => takerSide));
    expect(Math.max(...frames.map(({ events }) => events[0].trades.length))).toBeGreaterThan(1);
    for (const { time } of trades) expect(time).toMatch(/^2026-02-25T06:13:20(\.\d{0,5}[1-9])?Z$/);
  });

  test('finds every frame numbered, over all channels, and a dropped one missing', async () => {
    const client = await connect();
    await client.ask(request('heartbeats'));
    client.send(request('market_trades', 'BTC-USD', 'ETH-USDT'));
    await client.received(4);
    await simulator.addFrameFault({ kind: 'drop', frames: 1 });
    await simulator.burst({ symbol: 'BTCUSD', trades: 1 });
    clock.advance(1000);
    const numbers = (await client.received(5)).map((frame) => JSON.parse(frame).sequence_num);
    expect(numbers).toEqual([0, 1, 2, 3, 5]);
  });

  test('gets a product with USDC as the one with USD', async () => {
    const client = await connect();
    await simulator.setSettings({ snapshotTrades: 1 });
    client.send(request('market_trades', 'BTC-USDC'));
    const [snapshot = '', ack = ''] = await client.received(2);
    expect(JSON.parse(snapshot).events[0].trades[0].product_id).toBe('BTC-USD');
    expect(ack).toContain('{"market_trades":["BTC-USDC"]}');
  });

  test('is refused a product that is not there, and another channel', async () => {
    const client = await connect();
    expect(await client.ask(request('market_trades', 'NOPE-USD'))).toBe(
      '{"type":"error","message":"NOPE-USD is not a valid product"}',
    );
    expect(await client.ask(request('level2', 'BTC-USD'))).toContain('"type":"error"');
    expect(await client.ask('subscribe')).toContain('"type":"error"');
    expect(JSON.parse(await client.ask(request('heartbeats'))).sequence_num).toBe(0);
    const left = await client.ask({ type: 'unsubscribe', channel: 'heartbeats' });
    expect(JSON.parse(left).events).toEqual([{ subscriptions: {} }]);
  });

  test('is ended after 90 seconds without an update, unless it asked for heartbeats', async () => {
    const [quiet, beating] = [await connect(), await connect()];
    await simulator.setSettings({ snapshotTrades: 0 });
    await quiet.ask(request('market_trades', 'BTC-USD'));
    await beating.ask(request('heartbeats'));
    for (let second = 0; second < 90; second++) clock.advance(1000);
    await quiet.closed;
    const beats = (await beating.received(91)).slice(1).map((frame) => JSON.parse(frame).events[0]);
    expect(beats.map((beat) => beat.heartbeat_counter)).toEqual([...Array(90).keys()]);
    expect(beats[0].current_time).toMatch(/^2026-02-25 06:13:21\.\d{9} \+0000 UTC m=\+/);
  });

  test('is ended when it says nothing within five seconds', async () => {
    const client = await connect();
    clock.advance(5000);
    await client.closed;
  });
});

describe('Coinbase Advanced Trade by REST', () => {
  const base = () => `${simulator.url}/coinbase-advanced/api/v3/brokerage/market/products`;

  test('lists products and second names, and no market beside a second name', async () => {
    const { products, num_products: count } = (await (await fetch(base())).json()) as {
      products: { product_id: string; alias: string; quote_currency_id: string }[];
      num_products: number;
    };
    expect(count).toBe(4);
    expect(products.map(({ product_id, alias }) => [product_id, alias])).toEqual([
      ['BTC-USD', ''],
      ['BTC-USDC', 'BTC-USD'],
      ['ETH-USDT', ''],
      ['USDT-USD', ''],
    ]);
    expect(products[1]?.quote_currency_id).toBe('USDC');
  });

  test('has the newest trades, and those before a second', async () => {
    await simulator.burst({ symbol: 'BTCUSD', trades: 10 });
    clock.advance(10_000);
    await simulator.burst({ symbol: 'BTCUSD', trades: 10 });
    const made = (await collect(simulator.made())).map(({ id }) => id).reverse();
    const idsOf = async (query: string) => {
      const { trades } = (await (await fetch(`${base()}/BTC-USDC/ticker?${query}`)).json()) as { trades: Trade[] };
      return trades.map((trade) => trade.trade_id);
    };
    expect(await idsOf(`limit=${made.length}`)).toEqual(made);
    const [oldest] = await collect(simulator.made());
    const second = Math.floor((oldest?.timeUs ?? 0) / 1e6);
    const early = await idsOf(`limit=1000&start=${second}&end=${second + 1}`);
    expect(early).toEqual(made.slice(-early.length));
    expect(early.length).toBeGreaterThanOrEqual(10);
    expect(early.length).toBeLessThan(made.length);
  });

  test('also answers for the other host of Coinbase, where the history is', async () => {
    const url = `${simulator.url}/coinbase-advanced/products/BTC-USD/trades?limit=1`;
    expect(await (await fetch(url)).json()).toHaveLength(1);
    expect((await fetch(`${base()}/NOPE-USD`)).status).toBe(404);
  });
});
