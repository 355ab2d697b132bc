import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../manual-clock.ts';
import { type Simulator, startSimulator } from '../simulator.ts';
import { collect, TestClient } from '../test-client.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock();
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock });
});
afterEach(() => simulator.close());

const connect = () => TestClient.connect(`${simulator.webSocketUrl}/bybit/v5/public/spot`);
const subscribe = (...symbols: string[]) => ({
  req_id: '7',
  op: 'subscribe',
  args: symbols.map((symbol) => `publicTrade.${symbol}`),
});

describe('a client of Bybit', () => {
  test('is answered once for a request, with its id and without its topics', async () => {
    const client = await connect();
    const about = { success: true, conn_id: 'simulated-1', req_id: '7' };
    expect(JSON.parse(await client.ask(subscribe('BTCUSDT', 'ETHUSDT')))).toEqual({
      ...about,
      ret_msg: 'subscribe',
      op: 'subscribe',
    });
    expect(client.frames).toHaveLength(1);
  });

  test('gets the trades of an order in one frame with one sequence, and no history', async () => {
    const client = await connect();
    await client.ask(subscribe('BTCUSDT'));
    await simulator.burst({ symbol: 'BTCUSDT', trades: 100 });
    const sent = await collect(simulator.sent({ symbol: 'BTCUSDT' }));
    const frames = (await client.received(1 + sent.length)).slice(1).map((frame) => JSON.parse(frame));
    expect(Object.keys(frames[0])).toEqual(['topic', 'ts', 'type', 'data']);
    expect(Object.keys(frames[0].data[0])).toEqual(['i', 'T', 'p', 'v', 'S', 'seq', 's', 'BT', 'RPI']);
    expect(Math.max(...frames.map(({ data }) => data.length))).toBeGreaterThan(1);
    for (const { type, ts, data } of frames) {
      expect(type).toBe('snapshot');
      expect(new Set(data.map(({ seq }: { seq: number }) => seq)).size).toBe(1);
      expect(ts).toBeGreaterThanOrEqual(data[0].T);
    }
  });

  test('gets ids beyond 2^53 that rise and have holes', async () => {
    await simulator.burst({ symbol: 'BTCUSDT', trades: 100 });
    const ids = (await collect(simulator.made({ exchange: 'bybit' }))).map(({ id }) => BigInt(id));
    expect(ids[0]).toBeGreaterThan(2n ** 53n);
    const steps = new Set(ids.slice(1).map((id, index) => id - (ids[index] ?? 0n)));
    expect(steps).toEqual(new Set([1n, 4n]));
  });

  test('is refused all of a request in which one symbol is wrong, and more than ten', async () => {
    const client = await connect();
    expect(JSON.parse(await client.ask(subscribe('BTCUSDT', 'NOPEUSDT')))).toMatchObject({
      ...{ success: false, ret_msg: 'Invalid symbol :[publicTrade.NOPEUSDT]', req_id: '7', op: 'subscribe' },
    });
    expect((await simulator.state()).connections[0]?.subscriptions).toEqual([]);
    expect(await client.ask(subscribe(...Array(11).fill('BTCUSDT')))).toContain('"ret_msg":"args size >10"');
    expect(await client.ask('hello')).toContain('"success":false');
    await client.ask(subscribe('BTCUSDT'));
    expect(await client.ask({ ...subscribe('BTCUSDT'), op: 'unsubscribe' })).toContain('"success":true');
    expect((await simulator.state()).connections[0]?.subscriptions).toEqual([]);
  });

  test('lives by its pings, and is cut after ten minutes without one', async () => {
    const [silent, alive] = [await connect(), await connect()];
    clock.advance(599_000);
    const pong = { success: true, ret_msg: 'pong', conn_id: 'simulated-2', op: 'ping' };
    expect(JSON.parse(await alive.ask({ op: 'ping' }))).toEqual(pong);
    clock.advance(1000);
    await silent.closed;
    expect(await alive.ask({ op: 'ping' })).toContain('pong');
  });
});

describe('Bybit by REST', () => {
  const get = async (path: string) => (await fetch(`${simulator.url}/bybit/v5/market/${path}`)).text();

  test('lists symbols with their coins', async () => {
    const { retCode, result } = JSON.parse(await get('instruments-info?category=spot'));
    expect([retCode, result.category]).toEqual([0, 'spot']);
    expect(result.list[0]).toMatchObject({ symbol: 'BTCUSDT', baseCoin: 'BTC', quoteCoin: 'USDT', status: 'Trading' });
    expect(JSON.parse(await get('instruments-info?category=linear')).retCode).toBe(10_001);
  });

  test('has the last 60 trades, newest first, whatever is asked for', async () => {
    await simulator.burst({ symbol: 'BTCUSDT', trades: 100 });
    const made = (await collect(simulator.made({ exchange: 'bybit' }))).map(({ id }) => id).reverse();
    const { result } = JSON.parse(await get('recent-trade?category=spot&symbol=BTCUSDT&limit=1000'));
    expect(result.list.map(({ execId }: { execId: string }) => execId)).toEqual(made.slice(0, 60));
    expect(JSON.parse(await get('recent-trade?category=spot&symbol=NOPE')).retCode).toBe(10_001);
  });
});
