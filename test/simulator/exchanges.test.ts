import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { collect, TestClient } from './test-client.ts';
import { inMilliseconds, protocols, type TestProtocol } from './test-protocols.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock();
  // Snapshots have tests of their own.
  const settings = { snapshotTrades: 0 };
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock, settings });
});
afterEach(() => simulator.close());

/** A client that is subscribed to BTC/USDT and has read the answer. */
async function subscribed({ path, subscribe, symbol, exchange }: TestProtocol): Promise<TestClient> {
  const client = await TestClient.connect(`${simulator.webSocketUrl}${path}`);
  const greetings = exchange === 'kraken' ? 1 : 0;
  const messages = subscribe(symbol);
  for (const message of messages) client.send(message);
  await client.received(greetings + messages.length);
  return client;
}

/** All trades that a client has, as soon as there are as many. */
async function trades(client: TestClient, { read }: TestProtocol, count: number) {
  for (;;) {
    const found = client.frames.flatMap(read);
    if (found.length >= count) return found;
    await client.received(client.frames.length + 1);
  }
}

const restPaths: Record<string, { metadata: string; history: string }> = {
  binance: { metadata: '/api/v3/exchangeInfo', history: '/api/v3/historicalTrades?symbol=BTCUSDT' },
  kraken: { metadata: '/0/public/AssetPairs', history: '/0/public/Trades?pair=XBTUSDT' },
  coinbase: { metadata: '/products', history: '/products/BTC-USDT/trades' },
  'coinbase-advanced': {
    metadata: '/api/v3/brokerage/market/products',
    history: '/api/v3/brokerage/market/products/BTC-USDT/ticker',
  },
  okx: {
    metadata: '/api/v5/public/instruments?instType=SPOT',
    history: '/api/v5/market/history-trades?instId=BTC-USDT',
  },
  bybit: {
    metadata: '/v5/market/instruments-info?category=spot',
    history: '/v5/market/recent-trade?category=spot&symbol=BTCUSDT',
  },
};

describe.each(protocols.map((protocol) => [protocol.exchange, protocol] as const))('%s', (exchange, protocol) => {
  test('sends every trade that was made, with the digits, the side and the time that it has', async () => {
    const client = await subscribed(protocol);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 500 });
    const made = await collect(simulator.made({ symbol: 'BTCUSDT', exchange }));
    expect(made.length).toBeGreaterThanOrEqual(500);
    expect(await trades(client, protocol, made.length)).toEqual(made.map(inMilliseconds));
  });

  test('tells what it sent to whom, and how many trades are in it', async () => {
    const client = await subscribed(protocol);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 50 });
    const made = await collect(simulator.made({ symbol: 'BTCUSDT' }));
    await trades(client, protocol, made.length);
    const sent = await collect(simulator.sent());
    expect(sent.map(({ frame }) => frame)).toEqual(client.frames);
    expect(sent.reduce((sum, frame) => sum + frame.trades, 0)).toBe(made.length);
    const [connection] = (await simulator.state()).connections;
    expect(connection).toMatchObject({ exchange, url: protocol.path, sent: { BTCUSDT: { trades: made.length } } });
  });

  test('refuses a symbol that a test wants refused, and lets others in', async () => {
    await simulator.refuseSymbols({ symbols: ['BTCUSDT'] });
    const client = await subscribed(protocol);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 5 });
    expect(client.frames.at(-1)).toMatch(/error|"success":false/);
    expect((await simulator.state()).connections[0]?.subscriptions).toEqual([]);
    const other = protocol.symbol.replace('BTC', 'ETH');
    for (const message of protocol.subscribe(other)) await client.ask(message);
    await simulator.burst({ symbol: 'ETHUSDT', trades: 1 });
    expect((await trades(client, protocol, 1))[0]?.symbol).toBe(other);
  });

  test('answers REST with the trades that it sent', async () => {
    const client = await subscribed(protocol);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 20 });
    const [first] = await trades(client, protocol, 20);
    const { metadata, history } = restPaths[exchange] ?? { metadata: '', history: '' };
    const listed = await fetch(`${simulator.url}/${exchange}${metadata}`);
    expect([listed.status, await listed.text()]).toEqual([200, expect.stringContaining('USDT')]);
    expect(await (await fetch(`${simulator.url}/${exchange}${history}`)).text()).toContain(first?.id);
  });

  test('fails its REST as ordered, and refuses it to who is banned', async () => {
    const url = `${simulator.url}/${exchange}${restPaths[exchange]?.history}`;
    const path = new URL(url).pathname;
    await simulator.addRestFault({ path, status: 503, retryAfterSeconds: 7, requests: 1 });
    const failed = await fetch(url);
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '7']);
    expect((await fetch(url)).status).toBe(200);
    await simulator.ban({ durationMs: 1000, exchange });
    expect([403, 418]).toContain((await fetch(url)).status);
    clock.advance(1000);
    expect((await fetch(url)).status).toBe(200);
  });

  test('is as slow by REST as ordered', async () => {
    const real = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0 });
    await real.addRestFault({ delayMs: 50 });
    const beganMs = performance.now();
    expect((await fetch(`${real.url}/${exchange}${restPaths[exchange]?.metadata}`)).status).toBe(200);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(49);
    await real.close();
  });

  test('lives through whatever a client says or asks', async () => {
    const client = await subscribed(protocol);
    await simulator.setSettings({ messagesPerSecondMax: 1000, connectsMax: 1000 });
    const [valid] = protocol.subscribe(protocol.symbol).map((message) => JSON.stringify(message));
    const parts = ['', 'null', '7', '"x"', '[]', '{}', '[null]', '{"op":"subscribe","args":[null,7,{}]}'];
    for (const part of parts) client.send(part);
    for (const [, field] of (valid ?? '').matchAll(/"(\w+)":/g)) {
      for (const part of parts.slice(1, 7))
        client.send((valid ?? '').replace(new RegExp(`("${field}":).*$`), `$1${part}}`));
    }
    // All of it was read when the close is answered.
    client.webSocket.close();
    await client.closed;
    const rest = restPaths[exchange] ?? { metadata: '', history: '' };
    for (const query of [
      '?',
      '/%',
      '/%E0%A4%A',
      '?symbol=%',
      '&limit=-1&since=-1&after=x&before=9&start=x&end=x',
      '&after=0',
    ]) {
      await (await fetch(`${simulator.url}/${exchange}${rest.history}${query}`)).text();
    }
    expect((await fetch(`${simulator.url}/${exchange}${rest.metadata}`)).status).toBe(200);
  });

  test('shows the time of a clock that is wrong, in frames and REST alike', async () => {
    const client = await subscribed(protocol);
    await simulator.setClockSkew({ ms: -3_600_000 });
    await simulator.burst({ symbol: 'BTCUSDT', trades: 1 });
    const [trade] = await trades(client, protocol, 1);
    expect(trade?.timeUs).toBe((clock.nowUs() / 1000 - 3_600_000) * 1000);
    expect((await simulator.state()).clockSkewMs).toBe(-3_600_000);
  });

  test('begins its ids again far below, when told to', async () => {
    const client = await subscribed(protocol);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 1 });
    await simulator.resetIds({ symbol: 'BTCUSDT' });
    await simulator.burst({ symbol: 'BTCUSDT', trades: 1 });
    const made = await collect(simulator.made({ exchange }));
    const ids = (await trades(client, protocol, made.length)).map((trade) => BigInt(trade.id));
    expect(ids.at(-1)).toBeLessThan((ids[0] ?? 0n) - 100_000_000n);
    expect(ids.map(String)).toEqual(made.map((trade) => trade.id));
  });

  test('lets in no more connections than it allows', async () => {
    await simulator.setSettings({ connectsMax: 1, connectWindowMs: 1000 });
    const url = `${simulator.webSocketUrl}${protocol.path}`;
    await TestClient.connect(url);
    await expect(TestClient.connect(url)).rejects.toThrow('429');
    clock.advance(1000);
    await TestClient.connect(url);
  });
});

describe('all exchanges', () => {
  test('have the same trades, each in its own words', async () => {
    const truths = await Promise.all(
      protocols.map(async (protocol) => {
        const client = await subscribed(protocol);
        return { client, protocol };
      }),
    );
    await simulator.burst({ symbol: 'BTCUSDT', trades: 100 });
    const made = await collect(simulator.made());
    for (const { client, protocol } of truths) {
      const read = await trades(client, protocol, made.length);
      const values = read.map(({ price, quantity, takerSide }) => [Number(price), Number(quantity), takerSide]);
      expect(values).toEqual(made.map((trade) => [Number(trade.price), Number(trade.quantity), trade.takerSide]));
    }
  });

  test('answer on their own paths only', async () => {
    expect((await fetch(`${simulator.url}/kraken/api/v3/time`)).status).toBe(404);
    expect((await fetch(`${simulator.url}/binance/api/v3/time`)).status).toBe(200);
    await expect(TestClient.connect(`${simulator.webSocketUrl}/v2`)).rejects.toThrow('404');
    await expect(TestClient.connect(`${simulator.webSocketUrl}/kraken/ws`)).rejects.toThrow('404');
  });

  test('are cut, stalled and ended together, unless a connection is named', async () => {
    const clients = await Promise.all(protocols.map(subscribed));
    await simulator.stall({ stalled: true, connection: 1 });
    await simulator.shutDownConnections({ afterMs: 0 });
    clock.advance(0);
    await Promise.all(clients.map((client) => client.closed));
    expect((await simulator.state()).connections.every(({ closed }) => closed !== null)).toBe(true);
  });
});
