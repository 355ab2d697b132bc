import { once } from 'node:events';
import { describe, expect, type TestContext, test } from 'vitest';
import type { WebSocket } from 'ws';
import { binance } from '../../worker/exchanges/binance.ts';
import type { FeedOptions } from '../../worker/feed.ts';
import { startLoopbackExchange, tradeFrame } from './loopback-exchange.ts';
import { createMemoryProducer, type MemoryProducer } from './memory-producer.ts';
import { runFeed } from './run-feed.ts';

/** An exchange, and how to run a feed against it; both end with the test. */
async function begin({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const exchange = await startLoopbackExchange();
  onTestFinished(exchange.close);
  function startFeed(
    names: string[],
    producer: MemoryProducer = createMemoryProducer(),
    changes: Partial<FeedOptions> = {},
  ) {
    const { webSocketUrl, restUrl } = exchange;
    const parts = { exchangeId: 'binance', exchange: binance, webSocketUrl, restUrl, names, producer };
    const stop = new AbortController();
    const run = runFeed({ ...parts, ...changes, producer }, stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await run.ended;
    });
    return run;
  }
  return { exchange, startFeed };
}

type StartFeed = Awaited<ReturnType<typeof begin>>['startFeed'];

/** The true time, which a test may move on. */
function createMovedClock() {
  const clock = { laterMs: 0, monotonicMs: () => performance.now() + clock.laterMs };
  return clock;
}

describe('a connection that ends', () => {
  test('is replaced at once after trades, and subscribes again', async (context) => {
    const { exchange, startFeed } = await begin(context);
    const clock = createMovedClock();
    const { producer, rawTexts } = startFeed(['BTCUSDT'], createMemoryProducer(), { monotonicMs: clock.monotonicMs });
    const first = await exchange.subscribed(1);
    first.send(tradeFrame(1));
    await producer.holds(2);
    clock.laterMs = 1000;
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

  test('again and again, although it gives trades, is not replaced faster than exchanges allow', async (context) => {
    const { exchange, startFeed } = await begin(context);
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

  test('makes the feed not ready, with the reason', async (context) => {
    const { exchange, startFeed } = await begin(context);
    const { producer, status } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    peer.send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
    await exchange.close();
    await expect.poll(() => status.notReady(), { timeout: 5000 }).toMatch(/^cannot connect to ws:\S+: .*ECONNREFUSED/);
    expect(status.snapshot().symbols[0]?.state).toBe('pending');
  });

  test('because nothing is heard is replaced', async (context) => {
    const { exchange, startFeed } = await begin(context);
    const clock = createMovedClock();
    const changes = { exchange: { ...binance, silenceMsMax: 2000 }, monotonicMs: clock.monotonicMs };
    const { metrics, status } = startFeed(['BTCUSDT'], createMemoryProducer(), changes);
    await exchange.subscribed(1);
    await expect.poll(() => status.symbolsIn('subscribed')).toEqual(['BTCUSDT']);
    clock.laterMs = 2000;
    await exchange.subscribed(2);
    expect((await metrics.disconnects.get()).values).toContainEqual({ labels: { reason: 'stale' }, value: 1 });
  });

  test('because nothing is heard has a successor that counts for nothing until it is heard', async (context) => {
    const { exchange, startFeed } = await begin(context);
    const clock = createMovedClock();
    const changes = { exchange: { ...binance, silenceMsMax: 2000 }, monotonicMs: clock.monotonicMs };
    const { status } = startFeed(['BTCUSDT'], createMemoryProducer(), changes);
    await exchange.subscribed(1);
    await expect.poll(() => status.notStreaming()).toBeNull();
    clock.laterMs = 2000;
    const successor = await exchange.subscribed(2);
    await expect.poll(() => status.symbolsIn('subscribed')).toEqual(['BTCUSDT']);
    expect(status.notStreaming()).toMatch(/^nothing was heard for \d+ s$/);
    successor.ping();
    await expect.poll(() => status.notStreaming()).toBeNull();
  });

  test('because everything is rejected is tried again, and the reason is told', async (context) => {
    const { exchange, startFeed } = await begin(context);
    exchange.answer = ({ id }) => JSON.stringify({ error: { code: 2, msg: 'Invalid request' }, id });
    const { status, producer } = startFeed(['BTCUSDT']);
    await expect.poll(() => status.notReady()).toBe('every symbol is refused: Invalid request (code 2)');
    exchange.answer = ({ id }) => JSON.stringify({ result: null, id });
    (await exchange.subscribed(2)).send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
  });
});

// Each of these waits for the 2 s that two connections overlap.
describe.concurrent('another connection takes over', () => {
  async function replaced(
    context: TestContext,
    replace: (run: ReturnType<StartFeed>, first: WebSocket) => void,
    changes: Partial<FeedOptions> = {},
  ) {
    const { exchange, startFeed } = await begin(context);
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
  const reasonOf = async ({ metrics }: ReturnType<StartFeed>) =>
    (await metrics.replacements.get()).values.map(({ labels }) => labels.reason);

  test('when asked to, subscribed before the first ends, and nothing is doubled or missing', async (context) => {
    expect(await reasonOf(await replaced(context, ({ feed }) => feed.reconnect()))).toEqual(['requested']);
  });

  test('when the exchange announces the end', async (context) => {
    const notice = '{"e":"serverShutdown","E":1770123456789}';
    expect(await reasonOf(await replaced(context, (_, first) => first.send(notice)))).toEqual(['notice']);
  });

  test('before the exchange ends it for its age', async (context) => {
    const limits = { ...binance.limits, lifetimeMs: 2000 };
    const run = await replaced(context, () => {}, { exchange: { ...binance, limits } });
    expect(await reasonOf(run)).toEqual(['lifetime']);
  });

  test('only once it is subscribed; until then the first goes on', async (context) => {
    const { exchange, startFeed } = await begin(context);
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
  });
});

describe('more symbols than one connection takes', () => {
  test('are shared by several, and one that ends leaves the others alone', async (context) => {
    const { exchange, startFeed } = await begin(context);
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

test('an exchange that wants a text at a rhythm gets it', async (context) => {
  const { exchange, startFeed } = await begin(context);
  const keepalive = { text: 'ping', intervalMs: 50 };
  startFeed(['BTCUSDT'], createMemoryProducer(), { exchange: { ...binance, keepalive } });
  await expect.poll(() => exchange.requests.filter((text) => text === 'ping').length).toBeGreaterThan(1);
});

test('memory that runs short ends the connection, and reading goes on once there is room', async (context) => {
  const { exchange, startFeed } = await begin(context);
  const { feed, producer, metrics } = startFeed(['BTCUSDT']);
  const first = await exchange.subscribed(1);
  first.send(tradeFrame(1));
  await producer.holds(2);
  feed.shed('480 of 512 MiB of memory are used');
  (await exchange.subscribed(2)).send(tradeFrame(2));
  await producer.holds(4);
  expect((await metrics.disconnects.get()).values).toContainEqual({ labels: { reason: 'memory' }, value: 1 });
});
