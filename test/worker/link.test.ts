import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { binance } from '../../worker/exchanges/binance.ts';
import type { FeedOptions } from '../../worker/feed.ts';
import { type LoopbackExchange, startLoopbackExchange, tradeFrame } from './loopback-exchange.ts';
import { createMemoryProducer, type MemoryProducer } from './memory-producer.ts';
import { runFeed } from './run-feed.ts';

let exchange: LoopbackExchange;
let stop: AbortController;
let running: Promise<void> | null;

beforeEach(async () => {
  exchange = await startLoopbackExchange();
  stop = new AbortController();
  running = null;
});
afterEach(async () => {
  stop.abort();
  await running;
  await exchange.close();
});

function startFeed(
  names: string[],
  producer: MemoryProducer = createMemoryProducer(),
  changes: Partial<FeedOptions> = {},
) {
  const { webSocketUrl, restUrl } = exchange;
  const parts = { exchangeId: 'binance', exchange: binance, webSocketUrl, restUrl, names, producer };
  const run = runFeed({ ...parts, ...changes, producer }, stop.signal);
  running = run.ended;
  return run;
}

describe('a connection that ends', () => {
  test('is replaced at once after trades, and subscribes again', async () => {
    let laterMs = 0;
    const monotonicMs = () => performance.now() + laterMs;
    const { producer, rawTexts } = startFeed(['BTCUSDT'], createMemoryProducer(), { monotonicMs });
    const first = await exchange.subscribed(1);
    first.send(tradeFrame(1));
    await producer.holds(2);
    laterMs = 1000;
    const cutMs = performance.now();
    first.terminate();
    const second = await exchange.subscribed(2);
    expect(performance.now() - cutMs).toBeLessThan(500);
    second.send(tradeFrame(2));
    await producer.holds(4);
    expect(rawTexts()).toEqual([tradeFrame(1), tradeFrame(2)]);
    const connections = producer.appended.flatMap(({ headers }) =>
      headers.filter(([name]) => name === 'k2-connection'),
    );
    expect(new Set(connections.map(([, id]) => id)).size).toBe(2);
  });

  test('again and again, although it gives trades, is not replaced faster than exchanges allow', async () => {
    const { producer } = startFeed(['BTCUSDT']);
    const startMs = performance.now();
    for (let n = 1; n <= 3; n++) {
      const peer = await exchange.subscribed(n);
      peer.send(tradeFrame(n));
      await producer.holds(2 * n);
      peer.terminate();
    }
    expect(performance.now() - startMs).toBeGreaterThan(2000);
  });

  test('makes the feed not ready, with the reason', async () => {
    const { producer, status } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    peer.send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
    await exchange.close();
    await expect.poll(() => status.notReady(), { timeout: 5000 }).toMatch(/^cannot connect to ws:\S+: .*ECONNREFUSED/);
    expect(status.snapshot().symbols[0]?.state).toBe('pending');
    exchange = await startLoopbackExchange();
  });

  test('because nothing is heard is replaced', async () => {
    const { metrics } = startFeed(['BTCUSDT'], createMemoryProducer(), { exchange: { ...binance, silenceMsMax: 250 } });
    await exchange.subscribed(1);
    await exchange.subscribed(2);
    expect((await metrics.disconnects.get()).values).toContainEqual({ labels: { reason: 'stale' }, value: 1 });
  });

  test('because nothing is heard has a successor that counts for nothing until it gives a heartbeat', async () => {
    const { status } = startFeed(['BTCUSDT'], createMemoryProducer(), { exchange: { ...binance, silenceMsMax: 500 } });
    await exchange.subscribed(1);
    await expect.poll(() => status.notStreaming()).toBeNull();
    const successor = await exchange.subscribed(2);
    await expect.poll(() => status.symbolsIn('subscribed')).toEqual(['BTCUSDT']);
    expect(status.notStreaming()).toMatch(/^nothing was heard for \d+ s$/);
    successor.ping();
    await expect.poll(() => status.notStreaming()).toBeNull();
  });

  test('because everything is rejected is tried again, and the reason is told', async () => {
    exchange.answer = ({ id }) => JSON.stringify({ error: { code: 2, msg: 'Invalid request' }, id });
    const { status, producer } = startFeed(['BTCUSDT']);
    await expect.poll(() => status.notReady()).toBe('every symbol is refused: Invalid request (code 2)');
    exchange.answer = ({ id }) => JSON.stringify({ result: null, id });
    (await exchange.subscribed(2)).send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
  });
});

describe('another connection takes over', () => {
  async function replaced(replace: (run: ReturnType<typeof startFeed>, first: WebSocket) => void, changes = {}) {
    const run = startFeed(['BTCUSDT'], createMemoryProducer(), changes);
    const first = await exchange.subscribed(1);
    const closed = once(first, 'close');
    first.send(tradeFrame(1));
    await run.producer.holds(2);
    replace(run, first);
    const second = await exchange.subscribed(2);
    for (const peer of [first, second]) peer.send(tradeFrame(2));
    first.send(tradeFrame(3));
    await run.producer.holds(6);
    second.send(tradeFrame(3));
    second.send(tradeFrame(4));
    await run.producer.holds(8);
    expect(first.readyState).toBe(first.OPEN);
    await closed;
    expect(run.rawTexts()).toEqual([1, 2, 3, 4].map((id) => tradeFrame(id)));
    expect((await run.metrics.duplicates.get()).values).toContainEqual({ labels: {}, value: 2 });
    expect(run.status.notReady()).toBeNull();
    return run;
  }
  const reasonOf = async ({ metrics }: ReturnType<typeof startFeed>) =>
    (await metrics.replacements.get()).values.map(({ labels }) => labels.reason);

  test('when asked to, subscribed before the first ends, and nothing is doubled or missing', async () => {
    expect(await reasonOf(await replaced(({ feed }) => feed.reconnect()))).toEqual(['requested']);
  }, 10_000);

  test('when the exchange announces the end', async () => {
    const notice = '{"e":"serverShutdown","E":1770123456789}';
    expect(await reasonOf(await replaced((_, first) => first.send(notice)))).toEqual(['notice']);
  }, 10_000);

  test('before the exchange ends it for its age', async () => {
    const limits = { ...binance.limits, lifetimeMs: 2000 };
    const run = await replaced(() => {}, { exchange: { ...binance, limits } });
    expect(await reasonOf(run)).toEqual(['lifetime']);
  }, 10_000);

  test('only once it is subscribed; until then the first goes on', async () => {
    const { feed, producer, rawTexts } = startFeed(['BTCUSDT']);
    const first = await exchange.subscribed(1);
    exchange.answer = () => null;
    feed.reconnect();
    const second = await exchange.subscribed(2);
    second.terminate();
    exchange.answer = ({ id }) => JSON.stringify({ result: null, id });
    first.send(tradeFrame(1));
    await producer.holds(2);
    const third = await exchange.subscribed(3);
    await once(first, 'close');
    third.send(tradeFrame(2));
    await producer.holds(4);
    expect(rawTexts()).toEqual([tradeFrame(1), tradeFrame(2)]);
  }, 15_000);
});

describe('more symbols than one connection takes', () => {
  test('are shared by several, and one that ends leaves the others alone', async () => {
    const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
    exchange.symbols.set('BNBUSDT', ['BNB', 'USDT']);
    const limits = { ...binance.limits, symbolsPerConnection: 2 };
    const { producer, status } = startFeed(symbols, createMemoryProducer(), { exchange: { ...binance, limits } });
    await expect.poll(() => status.symbolsIn('subscribed').length, { timeout: 5000 }).toBe(3);
    expect(exchange.requests.map((text) => JSON.parse(text).params)).toEqual([
      ['btcusdt@trade', 'ethusdt@trade'],
      ['bnbusdt@trade'],
    ]);
    const [first, second] = exchange.connections;
    second?.terminate();
    await expect.poll(() => status.symbolsIn('pending')).toEqual(['BNBUSDT']);
    expect(status.notReady()).toMatch(/^the connection was closed/);
    first?.send(tradeFrame(1));
    await producer.holds(2);
    await exchange.subscribed(3);
    await expect.poll(() => status.notReady()).toBeNull();
  });
});

test('an exchange that wants a text at a rhythm gets it', async () => {
  const keepalive = { text: 'ping', intervalMs: 50 };
  startFeed(['BTCUSDT'], createMemoryProducer(), { exchange: { ...binance, keepalive } });
  await expect.poll(() => exchange.requests.filter((text) => text === 'ping').length).toBeGreaterThan(1);
});

test('memory that runs short ends the connection, and reading goes on once there is room', async () => {
  const { feed, producer, metrics } = startFeed(['BTCUSDT']);
  const first = await exchange.subscribed(1);
  first.send(tradeFrame(1));
  await producer.holds(2);
  feed.shed('480 of 512 MiB of memory are used');
  (await exchange.subscribed(2)).send(tradeFrame(2));
  await producer.holds(4);
  expect((await metrics.disconnects.get()).values).toContainEqual({ labels: { reason: 'memory' }, value: 1 });
});
