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

const connect = (address = 'business') => TestClient.connect(`${simulator.webSocketUrl}/okx/ws/v5/${address}`);
const subscribe = (channel: string, ...symbols: string[]) => ({
  op: 'subscribe',
  args: symbols.map((instId) => ({ channel, instId })),
});

describe('a client of OKX', () => {
  test('is answered for each symbol, and gets its last trade in the usual form', async () => {
    const client = await connect();
    client.send(subscribe('trades-all', 'BTC-USDT', 'ETH-USDT'));
    const [ack = '', last = '', ack2 = ''] = await client.received(4);
    expect(JSON.parse(ack)).toEqual({
      event: 'subscribe',
      arg: { channel: 'trades-all', instId: 'BTC-USDT' },
      connId: '00000001',
    });
    expect(JSON.parse(ack2).arg.instId).toBe('ETH-USDT');
    const trade = [
      '"instId":"BTC-USDT","tradeId":"\\d+","px":"\\d+(\\.\\d*[1-9])?","sz":"\\d+(\\.\\d*[1-9])?"',
      '"side":"(buy|sell)","ts":"\\d{13}"',
    ].join(',');
    const push = `{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[`;
    expect(last.startsWith(push)).toBe(true);
    expect(last.slice(push.length)).toMatch(new RegExp(`^\\{${trade}\\}\\]\\}$`));
  });

  test('gets single trades on the business address, and orders with their count on the public one', async () => {
    const [every, merged] = [await connect(), await connect('public')];
    await simulator.setSettings({ snapshotTrades: 0 });
    await every.ask(subscribe('trades-all', 'BTC-USDT'));
    await merged.ask(subscribe('trades', 'BTC-USDT'));
    await simulator.burst({ symbol: 'BTCUSDT', trades: 100 });
    const made = await collect(simulator.made());
    const single = (await every.received(1 + made.length)).slice(1).map((frame) => JSON.parse(frame).data[0]);
    expect(single.map((trade) => trade.tradeId)).toEqual(made.map((trade) => trade.id));
    const sent = await collect(simulator.sent({ connection: 2, symbol: 'BTCUSDT' }));
    const sums = (await merged.received(1 + sent.length)).slice(1).map((frame) => JSON.parse(frame).data[0]);
    const counts = sums.map((sum) => Number(sum.count));
    expect(counts.reduce((total, count) => total + count, 0)).toBe(made.length);
    expect(Math.max(...counts)).toBeGreaterThan(1);
    for (const [index, { id, trades }] of sent.entries()) {
      expect(sums[index].tradeId).toBe(String((id ?? 0) + trades - 1));
    }
  });

  test('is refused what is not there, each by itself, and may repeat what it has', async () => {
    const client = await connect();
    client.send(subscribe('trades-all', 'NOPE-USDT', 'BTC-USDT'));
    const [error = '', ack] = await client.received(3);
    expect(JSON.parse(error)).toMatchObject({ event: 'error', code: '60018' });
    expect(JSON.parse(error).msg).toContain("instId:NOPE-USDT doesn't exist");
    expect(await client.ask(subscribe('trades-all', 'BTC-USDT'))).toBe(ack);
    expect(await client.ask(subscribe('trades', 'BTC-USDT'))).toContain('60018');
    expect(await client.ask('subscribe')).toContain('60012');
    const unsubscribe = { ...subscribe('trades-all', 'BTC-USDT'), op: 'unsubscribe' };
    expect(await client.ask(unsubscribe)).toContain('"event":"unsubscribe"');
    await simulator.burst({ symbol: 'BTCUSDT', trades: 1 });
    expect(await client.ask('ping')).toBe('pong');
  });

  test('is cut after 30 seconds in which nothing came, and lives as long as it sends pings', async () => {
    const [idle, alive] = [await connect(), await connect()];
    clock.advance(29_000);
    expect(await alive.ask('ping')).toBe('pong');
    clock.advance(1000);
    expect((await idle.closed).code).toBe(4004);
    clock.advance(28_999);
    expect(await alive.ask('ping')).toBe('pong');
  });

  test('is told of a planned end on the public address only', async () => {
    const [business, open] = [await connect(), await connect('public')];
    await simulator.shutDownConnections({ afterMs: 60_000 });
    expect(JSON.parse((await open.received(1))[0] ?? '')).toMatchObject({ event: 'notice', code: '64008' });
    expect(await business.ask('ping')).toBe('pong');
    expect(business.frames).toEqual(['pong']);
  });
});

describe('OKX by REST', () => {
  const get = async (path: string) => JSON.parse(await (await fetch(`${simulator.url}/okx/api/v5/${path}`)).text());

  test('lists instruments with their currencies', async () => {
    const { code, data } = await get('public/instruments?instType=SPOT');
    expect([code, data.length]).toEqual(['0', 3]);
    expect(data[0]).toMatchObject({ instId: 'BTC-USDT', baseCcy: 'BTC', quoteCcy: 'USDT', state: 'live' });
    expect((await get('public/instruments?instType=SPOT&instId=NOPE-USDT')).code).toBe('51001');
  });

  test('pages back by id, newest first, at most 100 at once', async () => {
    await simulator.burst({ symbol: 'BTCUSDT', trades: 250 });
    const made = (await collect(simulator.made())).map(({ id }) => id).reverse();
    const history = 'market/history-trades?instId=BTC-USDT&type=1&limit=500';
    const ids: string[] = [];
    for (let after = ''; ids.length < made.length; after = `&after=${ids.at(-1)}`) {
      const { data } = await get(history + after);
      expect(data).toHaveLength(100);
      ids.push(...data.map((trade: { tradeId: string }) => trade.tradeId));
    }
    expect(ids.slice(0, made.length)).toEqual(made);
    const { data: newer } = await get(`${history}&before=${made[3]}`);
    expect(newer.map((trade: { tradeId: string }) => trade.tradeId)).toEqual(made.slice(0, 3));
  });

  test('answers 20 requests for history in two seconds', async () => {
    for (let count = 0; count < 20; count++) {
      expect((await get('market/history-trades?instId=BTC-USDT')).code).toBe('0');
    }
    expect(await get('market/history-trades?instId=BTC-USDT')).toMatchObject({ code: '50011', data: [] });
    clock.advance(2000);
    expect((await get('market/history-trades?instId=BTC-USDT')).code).toBe('0');
  });
});
