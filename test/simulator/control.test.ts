import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { simulatorControl } from './control.ts';
import type { SimulatorControl } from './control-types.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { collect, TestClient } from './test-client.ts';

/** 100 ms of the exchange's time; how long the network takes is a matter of the machine, and of the benchmark. */
const burstUsMax = 100_000;

let simulator: Simulator;
let control: SimulatorControl;
beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, ledgerBytesMax: 100_000 });
  control = simulatorControl(simulator.url);
});
afterEach(() => simulator.close());

const connect = (path = '/stream?streams=btcusdt@trade/ethusdt@trade') =>
  TestClient.connect(`${simulator.webSocketUrl}${path}`);
const post = (path: string, body: string) => fetch(`${simulator.url}/control/${path}`, { method: 'POST', body });

describe('what was sent', () => {
  test('is what each client received, in its order, and what REST answers for it', async () => {
    const clients = [await connect(), await connect('/ws/btcusdt@trade')];
    await control.burst({ trades: 200, symbol: 'BTCUSDT' });
    for (const [index, client] of clients.entries()) {
      const received = await client.received(200);
      const sent = await collect(control.sent({ connection: index + 1 }));
      expect(sent.slice(0, 200).map(({ frame }) => frame)).toEqual(received);
      expect(sent[0]).toMatchObject({ connection: index + 1, symbol: 'BTCUSDT' });
    }
    const [first] = await collect(control.sent({ symbol: 'BTCUSDT', connection: 2 }));
    const trade = JSON.parse(first?.frame ?? '');
    const response = await fetch(`${simulator.url}/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${first?.id}&limit=1`);
    expect(await response.json()).toMatchObject([
      { id: trade.t, price: trade.p, qty: trade.q, time: trade.T, isBuyerMaker: trade.m },
    ]);
  });

  test('is refused when it is incomplete, unless a part will do', async () => {
    const client = await connect();
    await control.burst({ trades: 600, symbol: 'BTCUSDT' });
    await client.received(600);
    await expect(collect(control.sent())).rejects.toThrow(
      /507 the ledger is incomplete: it kept the first \d+ frames, within its 100000 bytes, and not the \d+ after/,
    );
    const part = await collect(control.sent({ partial: true }));
    expect(part.map(({ frame }) => frame)).toEqual(client.frames.slice(0, part.length));
    expect((await control.state()).ledger.framesNotKept).toBeGreaterThan(0);
  });
});

describe('the state', () => {
  test('shows connections, subscriptions and counts, also of connections that are gone', async () => {
    const client = await connect();
    await control.burst({ trades: 50, symbol: 'ETHUSDT' });
    const ids = (await client.received(50)).map((frame) => JSON.parse(frame).data.t);
    client.webSocket.terminate();
    await client.closed;
    let state = await control.state();
    while (state.connections[0]?.closed === null) state = await control.state();
    expect(state.connections).toMatchObject([
      {
        connection: 1,
        url: '/stream?streams=btcusdt@trade/ethusdt@trade',
        subscriptions: ['btcusdt@trade', 'ethusdt@trade'],
        closed: { code: 1006 },
        sent: { ETHUSDT: { firstId: ids[0] } },
      },
    ]);
    expect(state.symbols[1]).toMatchObject({ symbol: 'ETHUSDT', status: 'TRADING', firstId: ids[0] });
  });
});

test('the state counts what REST answered, by exchange and status', async () => {
  await control.ban({ durationMs: 60_000, exchange: 'kraken' });
  for (const path of ['/kraken/0/public/AssetPairs', '/coinbase/products', '/kraken/0/public/AssetPairs']) {
    await (await fetch(`${simulator.url}${path}`)).arrayBuffer();
  }
  expect((await control.state()).rest).toEqual({ kraken: { 403: 2 }, coinbase: { 200: 1 } });
});

describe('connections', () => {
  test('are cut without a handshake, or closed with a code', async () => {
    const [one, other] = [await connect(), await connect()];
    await control.cut({ connection: 1 });
    expect((await one.closed).code).toBe(1006);
    await control.cut({ code: 1012, reason: 'Restart' });
    expect(await other.closed).toEqual({ code: 1012, reason: 'Restart' });
    await expect(control.cut({ connection: 7 })).rejects.toThrow('404 connection: 7 is not open; open are none');
  });

  test('are refused while they are not accepted', async () => {
    await control.setAccepting({ accepting: false });
    await expect(connect()).rejects.toThrow('503');
    await control.setAccepting({ accepting: true });
    await connect();
  });

  test('are silent while stalled, though still open', async () => {
    const [stalled, other] = [await connect(), await connect()];
    await control.stall({ stalled: true, connection: 1 });
    stalled.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
    await control.burst({ trades: 10, symbol: 'BTCUSDT' });
    await other.received(10);
    expect((await control.state()).connections[0]).toMatchObject({ stalled: true, closed: null, framesSent: 0 });
    await control.stall({ stalled: false });
    await control.burst({ trades: 1, symbol: 'ETHUSDT' });
    expect((await stalled.received(1))[0]).toContain('ETHUSDT');
  });

  test('are told of a shutdown, in their form, and end when it comes', async () => {
    const [combined, raw] = [await connect(), await connect('/ws')];
    await control.shutDownConnections({ afterMs: 50 });
    expect(await combined.received(1)).toEqual([
      expect.stringMatching(/^\{"stream":"!serverShutdown","data":\{"e":"serverShutdown","E":\d{13}\}\}$/),
    ]);
    expect(await raw.received(1)).toEqual([expect.stringMatching(/^\{"e":"serverShutdown","E":\d{13}\}$/)]);
    const later = await connect();
    expect((await combined.closed).code).toBe(1001);
    await raw.closed;
    expect(later.webSocket.readyState).toBe(later.webSocket.OPEN);
  });

  test('end when their client is too slow for the buffer', async () => {
    await control.setSettings({ bufferBytesMax: 100_000 });
    const client = await connect();
    client.webSocket.pause();
    let state = await control.state();
    while (state.connections[0]?.closed === null) {
      await control.burst({ trades: 20_000, symbol: 'BTCUSDT' });
      state = await control.state();
    }
    expect(state.connections[0]?.closed).toMatchObject({ code: 1008, reason: 'Client too slow' });
  });
});

describe('a burst', () => {
  test('of 5,000 trades of one symbol is of one moment, and says from when to when it was sent', async () => {
    const client = await connect();
    const { trades, fromUs, untilUs } = await control.burst({ trades: 5000, symbol: 'BTCUSDT' });
    const ids = (await client.received(trades)).map((frame) => JSON.parse(frame).data.t);
    expect(trades).toBeGreaterThanOrEqual(5000);
    expect(new Set(ids).size).toBe(trades);
    const made = await collect(control.made({ symbol: 'BTCUSDT' }));
    expect(made.map(({ id }) => Number(id))).toEqual(ids);
    expect(made[0]?.timeUs).toBe(fromUs);
    expect((made.at(-1)?.timeUs ?? Number.NaN) - fromUs).toBeLessThan(burstUsMax);
    expect(untilUs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(fromUs);
  });

  test('is shared among all symbols where none is named', async () => {
    const { trades } = await control.burst({ trades: 300 });
    const { symbols } = await control.state();
    expect(symbols.every((one) => one.trades >= 100)).toBe(true);
    expect(symbols.reduce((sum, one) => sum + one.trades, 0)).toBe(trades);
  });

  test('does not wait for a client that takes nothing', async () => {
    const client = await connect();
    client.webSocket.pause();
    expect((await control.burst({ trades: 60_000, symbol: 'BTCUSDT' })).untilUs).toBeNull();
    client.webSocket.terminate();
  });
});

describe('the market', () => {
  test('follows the rate, in total and for one symbol, and pauses', async () => {
    await control.setRate({ tradesPerSecond: 300 });
    await control.setRate({ tradesPerSecond: 7, symbol: 'ETHUSDT' });
    const rates = async () => (await control.state()).symbols.map((one) => one.tradesPerSecond);
    expect(await rates()).toEqual([100, 7, 100]);
    await control.pause();
    expect(await rates()).toEqual([0, 0, 0]);
    await control.resume();
    await control.setRate({ tradesPerSecond: null, symbol: 'ETHUSDT' });
    expect(await rates()).toEqual([100, 100, 100]);
  });

  test('lists and unlists symbols', async () => {
    await control.setSymbols({ add: [{ symbol: 'DOGEUSDT' }], remove: ['BNBUSDT'] });
    const symbols = (await control.state()).symbols.map((one) => one.symbol);
    expect(symbols).toEqual(['BTCUSDT', 'ETHUSDT', 'DOGEUSDT']);
    await expect(control.setSymbols({ add: [{ symbol: 'FOOBAR' }] })).rejects.toThrow(
      "400 symbol: 'FOOBAR' is not known here; name its assets",
    );
  });

  test('is as at start after a reset, but for its trade ids', async () => {
    const client = await connect();
    await control.burst({ trades: 10, symbol: 'BTCUSDT' });
    const last = JSON.parse((await client.received(10)).at(-1) ?? '').data.t;
    await control.setRate({ tradesPerSecond: 500 });
    await control.setSymbols({ add: [{ symbol: 'DOGEUSDT' }], remove: ['BTCUSDT'] });
    await control.setSettings({ pingIntervalMs: 5 });
    await control.reset();
    const after = await control.state();
    expect((await client.closed).code).toBe(1006);
    expect(after).toMatchObject({
      tradesPerSecond: 0,
      connections: [],
      ledger: { frames: 0 },
      replay: { phase: 'none' },
    });
    expect(after.settings.pingIntervalMs).toBe(20_000);
    expect(after.symbols.map((one) => one.symbol).sort()).toEqual(['BNBUSDT', 'BTCUSDT', 'ETHUSDT']);
    await control.burst({ trades: 1, symbol: 'BTCUSDT' });
    const again = await connect();
    await control.burst({ trades: 1, symbol: 'BTCUSDT' });
    expect(JSON.parse((await again.received(1))[0] ?? '').data.t).toBeGreaterThan(last);
  });
});

describe('a wrong command', () => {
  test.each([
    ['rate', '{"tradesPerSecond":"fast"}', 'tradesPerSecond: is "fast"; it must be a number from 0 to 1000000'],
    [
      'rate',
      '{"tradesPerSecond":5,"symbol":"NOPE"}',
      "symbol: 'NOPE' is not listed; listed are BTCUSDT, ETHUSDT, BNBUSDT",
    ],
    ['burst', '{}', 'trades: is missing; it must be a number from 1 to 100000'],
    ['burst', '{"trade":5}', 'trade: is unknown; the fields are trades, symbol'],
    ['burst', '[5]', 'body: is not a JSON object; its fields are trades, symbol'],
    ['pause', '{"now":true}', 'now: is unknown; the fields are none'],
    ['replay', '{"speed":0}', 'speed: is 0; it must be "flat" or a factor above 0'],
    ['settings', '{"lifetimeMs":3e9}', 'lifetimeMs: is 3000000000; it must be a number from 0 to 2147483647'],
    ['settings', '{"errorForm":"none"}', 'errorForm: is "none"; it must be live or documented'],
    [
      'symbols',
      '{"add":[{"symbol":"BTCUSDT","status":"OPEN"}]}',
      'status: is "OPEN"; it must be TRADING, HALT or BREAK',
    ],
    ['stall', '{"stalled":1}', 'stalled: is 1; it must be true or false'],
    ['nonsense', '{}', '/control/nonsense: is unknown'],
  ])('%s %s gets a sentence', async (path, body, message) => {
    const response = await post(path, body);
    expect([400, 404]).toContain(response.status);
    expect(((await response.json()) as { error: string }).error).toContain(message);
  });

  test('refuses an upload beyond 64 MiB', async () => {
    const response = await fetch(`${simulator.url}/control/recording`, {
      method: 'POST',
      body: Buffer.alloc(64 * 1024 * 1024 + 1),
    });
    expect(response.status).toBe(413);
  });
});
