import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../manual-clock.ts';
import { type Simulator, startSimulator } from '../simulator.ts';
import { collect, TestClient } from '../test-client.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2026, 7, 25, 3, 35, 57));
  const symbols = ['BTC/USD', 'ETH/USD'];
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock, symbols });
});
afterEach(() => simulator.close());

const connect = () => TestClient.connect(`${simulator.webSocketUrl}/coinbase/`);
const request = (type: string, names: string[], ...products: string[]) => ({
  type,
  channels: names.map((name) => ({ name, product_ids: products })),
});
const subscribe = (...products: string[]) => request('subscribe', ['matches'], ...products);

describe('a client of Coinbase Exchange', () => {
  test('is told all that it is subscribed to, after every change', async () => {
    const client = await connect();
    await simulator.setSettings({ snapshotTrades: 0 });
    await client.ask(subscribe('BTC-USD'));
    const both = await client.ask(request('subscribe', ['matches', 'heartbeat'], 'ETH-USD'));
    expect(JSON.parse(both)).toEqual({
      type: 'subscriptions',
      channels: [
        { name: 'matches', product_ids: ['BTC-USD', 'ETH-USD'], account_ids: null },
        { name: 'heartbeat', product_ids: ['ETH-USD'], account_ids: null },
      ],
    });
    const left = JSON.parse(await client.ask(request('unsubscribe', ['matches'], 'BTC-USD', 'ETH-USD')));
    expect(left.channels).toEqual([{ name: 'heartbeat', product_ids: ['ETH-USD'], account_ids: null }]);
  });

  test('gets the last match before the next, whose sequence jumps and whose side is that of the maker', async () => {
    const client = await connect();
    client.send(subscribe('BTC-USD'));
    await client.received(2);
    await simulator.burst({ symbol: 'BTCUSD', trades: 1 });
    const [, last = '', next = ''] = await client.received(3);
    expect(last).toMatch(
      new RegExp(
        '^\\{"type":"last_match","trade_id":\\d+,"maker_order_id":"[0-9a-f-]{36}","taker_order_id":"[0-9a-f-]{36}",' +
          '"side":"(buy|sell)","size":"[\\d.]*[1-9]","price":"[\\d.]+","product_id":"BTC-USD","sequence":\\d+,' +
          '"time":"2026-08-25T03:35:56\\.\\d{6}Z"\\}$',
      ),
    );
    const [before, after] = [JSON.parse(last), JSON.parse(next)];
    expect([after.type, after.trade_id]).toEqual(['match', before.trade_id + 1]);
    expect(after.sequence).toBeGreaterThan(before.sequence + 1);
    const [made] = await collect(simulator.made());
    expect(after.side).toBe(made?.takerSide === 'buy' ? 'sell' : 'buy');
  });

  test('is refused all of a request in which one product is wrong', async () => {
    const client = await connect();
    const error = { type: 'error', message: 'Failed to subscribe' };
    const ask = async (message: unknown) => JSON.parse(await client.ask(message));
    expect(await ask(subscribe('BTC-USD', 'NOPE-USD'))).toEqual({
      ...error,
      reason: 'NOPE-USD is not a valid product',
    });
    expect(await ask(request('subscribe', ['trades'], 'BTC-USD'))).toEqual({
      ...error,
      reason: 'trades is not a valid channel',
    });
    expect(await ask(subscribe())).toMatchObject({ reason: 'You need to specify at least one product ID' });
    expect(await ask('subscribe')).toEqual({ type: 'error', message: 'Malformed JSON' });
    expect((await simulator.state()).connections[0]?.subscriptions).toEqual([]);
  });

  test('gets a heartbeat a second for each product that it asked it for', async () => {
    const client = await connect();
    await client.ask(request('subscribe', ['heartbeat'], 'BTC-USD', 'ETH-USD'));
    clock.advance(1000);
    const beats = (await client.received(3)).slice(1).map((frame) => JSON.parse(frame));
    expect(beats.map((beat) => [beat.type, beat.product_id])).toEqual([
      ['heartbeat', 'BTC-USD'],
      ['heartbeat', 'ETH-USD'],
    ]);
    await simulator.burst({ symbol: 'BTCUSD', trades: 1 });
    const made = await collect(simulator.made());
    expect(beats[0].last_trade_id).toBe(Number(made[0]?.id) - 1);
  });

  test('is ended when it says nothing within five seconds', async () => {
    const [silent, talking] = [await connect(), await connect()];
    await talking.ask(subscribe('BTC-USD'));
    clock.advance(5000);
    await silent.closed;
    expect(JSON.parse(await talking.ask(request('unsubscribe', ['matches'], 'BTC-USD'))).type).toBeDefined();
  });
});

describe('Coinbase Exchange by REST', () => {
  const get = (path: string) => fetch(`${simulator.url}/coinbase/products${path}`);

  test('lists products with their currencies', async () => {
    const products = (await (await get('')).json()) as object[];
    expect(products).toHaveLength(2);
    const bitcoin = { id: 'BTC-USD', base_currency: 'BTC', quote_currency: 'USD', status: 'online' };
    expect(products[0]).toMatchObject(bitcoin);
    expect(await (await get('/BTC-USD')).json()).toMatchObject(bitcoin);
    expect((await get('/NOPE-USD')).status).toBe(404);
  });

  test('pages back by id, newest first, with cursors', async () => {
    await simulator.burst({ symbol: 'BTCUSD', trades: 250 });
    const made = (await collect(simulator.made())).map(({ id }) => Number(id)).reverse();
    const ids: number[] = [];
    for (let after = ''; ids.length < made.length; ) {
      const page = await get(`/BTC-USD/trades?limit=100${after}`);
      ids.push(...((await page.json()) as { trade_id: number }[]).map((trade) => trade.trade_id));
      after = `&after=${page.headers.get('cb-after')}`;
    }
    expect(ids.slice(0, made.length)).toEqual(made);
    const newer = await (await get(`/BTC-USD/trades?before=${made[2]}`)).json();
    expect((newer as { trade_id: number }[]).map((trade) => trade.trade_id)).toEqual(made.slice(0, 2));
  });

  test('answers 15 requests at once', async () => {
    for (let count = 0; count < 15; count++) expect((await get('')).status).toBe(200);
    expect([(await get('')).status, await (await get('')).json()]).toEqual([
      429,
      { message: 'Public rate limit exceeded' },
    ]);
    clock.advance(1000);
    expect((await get('')).status).toBe(200);
  });
});
