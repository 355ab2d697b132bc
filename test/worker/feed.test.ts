import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { binance } from '../../worker/exchanges/binance.ts';
import { type LoopbackExchange, startLoopbackExchange, tradeFrame } from './loopback-exchange.ts';
import { createMemoryProducer, type MemoryProducer } from './memory-producer.ts';
import { type RunOptions, runFeed } from './run-feed.ts';

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
  changes: Partial<RunOptions> = {},
) {
  const { webSocketUrl, restUrl } = exchange;
  const parts = { exchangeId: 'binance', exchange: binance, webSocketUrl, restUrl, names, producer };
  const run = runFeed({ ...parts, ...changes, producer }, stop.signal);
  running = run.ended;
  return run;
}

describe('a feed', () => {
  test('writes each frame and its trade, raw first, keyed by symbol', async () => {
    const { producer, rawTexts } = startFeed(['BTCUSDT', 'ETHUSDT']);
    const peer = await exchange.subscribed(1);
    const frames = [tradeFrame(1), tradeFrame(2, 'ETHUSDT'), tradeFrame(3)];
    for (const frame of frames) peer.send(frame);
    await producer.holds(6);
    expect(rawTexts()).toEqual(frames);
    expect(producer.appended.map(({ topic, key }) => [topic, key])).toEqual([
      ['raw', 'BTCUSDT'],
      ['normalized', 'BTCUSDT'],
      ['raw', 'ETHUSDT'],
      ['normalized', 'ETHUSDT'],
      ['raw', 'BTCUSDT'],
      ['normalized', 'BTCUSDT'],
    ]);
  });

  test('is ready once a subscription is acknowledged', async () => {
    const { producer, status } = startFeed(['BTCUSDT']);
    expect(status.notReady()).toBe('not connected yet');
    (await exchange.subscribed(1)).send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
  });

  test('streams the known symbols and names the unknown one', async () => {
    const { producer, status } = startFeed(['BTCUSDT', 'BTCUSDX']);
    (await exchange.subscribed(1)).send(tradeFrame(1));
    await producer.holds(2);
    expect(exchange.requests).toEqual(['{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}']);
    expect(status.snapshot()).toMatchObject({
      streaming: true,
      symbols: [
        { symbol: 'BTCUSDT', state: 'subscribed' },
        { symbol: 'BTCUSDX', state: 'refused', message: 'BTCUSDX is not listed by binance' },
      ],
    });
  });

  test('waits for the listings and says so, and streams once they come', async () => {
    exchange.listingFaults = [{ status: 503, body: 'maintenance' }];
    const { producer, status } = startFeed(['BTCUSDT']);
    await expect.poll(() => status.notReady()).toContain('cannot list symbols');
    (await exchange.subscribed(1)).send(tradeFrame(1));
    await producer.holds(2);
    expect(status.notReady()).toBeNull();
  });

  test('goes on running when nothing is listed, and says so', async () => {
    const { status } = startFeed(['NOPE', 'NADA']);
    const words = 'every symbol is refused: NOPE is not listed by binance; NADA is not listed by binance';
    await expect.poll(() => status.notReady()).toBe(words);
    expect(exchange.connections.length).toBe(0);
  });

  test('keeps a frame that it cannot read, with the reason, and goes on', async () => {
    const { producer, metrics } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    peer.send('{"stream":"btcusdt@trade","data":{"e":"trade"');
    peer.send(tradeFrame(9, 'SOLUSDT'));
    peer.send(tradeFrame(1));
    await producer.holds(6);
    const [broken, letter, foreign, , raw, normalized] = producer.appended;
    expect(String(broken?.value)).toBe('{"stream":"btcusdt@trade","data":{"e":"trade"');
    expect(broken?.headers.at(-1)).toEqual(['k2-unreadable', 'not JSON']);
    expect(letter).toEqual({ ...broken, topic: 'raw.dlq' });
    expect(foreign?.headers.at(-1)).toEqual(['k2-unreadable', 'trade of SOLUSDT, which was not asked for']);
    expect([raw?.topic, normalized?.topic]).toEqual(['raw', 'normalized']);
    const frames = metrics.registry.getSingleMetric('k2_worker_frames_total');
    expect((await frames?.get())?.values).toContainEqual({ labels: { kind: 'unreadable' }, value: 1 });
  });

  test('writes nothing for frames without trades', async () => {
    const { producer, rawTexts } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    peer.send('{"e":"blockTrade","s":"BTCUSDT","t":582}');
    peer.send('{"e":"serverShutdown","E":1770123456789}');
    peer.send(tradeFrame(1));
    await producer.holds(2);
    expect(rawTexts()).toEqual([tradeFrame(1)]);
  });
});

describe('a full buffer', () => {
  test('stops reading until the broker has acknowledged, and loses nothing', async () => {
    const producer = createMemoryProducer(100);
    const { rawTexts, metrics } = startFeed(['BTCUSDT'], producer);
    const peer = await exchange.subscribed(1);
    const frames = Array.from({ length: 20_000 }, (_, index) => tradeFrame(index));
    for (const frame of frames) peer.send(frame);
    await producer.holds(101);
    // A whole exchange on a connection of its own: time enough for more frames to come, were they read.
    await fetch(`${exchange.restUrl}/?symbols=[]`);
    // What two reads of 64 KiB hold; each frame gives two records.
    const recordsPerRead = (2 * 65_536) / tradeFrame(0).length;
    const held = producer.appended.length;
    expect(held).toBeLessThan(100 + 2 * recordsPerRead);
    for (let count = held; count < 2 * frames.length; count = producer.appended.length) {
      const more = producer.holds(Math.min(count + 1, 2 * frames.length));
      producer.acknowledge();
      await more;
    }
    expect(rawTexts()).toEqual(frames);
    expect((await metrics.pauses.get()).values[0]?.value).toBeGreaterThan(10);
  }, 30_000);
});

describe('a standby', () => {
  const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

  test('writes nothing of what it reads, and once it takes over, what the owner had not written', async () => {
    const { feed, kept, status, rawTexts, written } = startFeed(['BTCUSDT'], undefined, { written: null });
    const peer = await exchange.subscribed(1);
    for (const id of ids(1, 10)) peer.send(tradeFrame(id));
    await expect.poll(() => kept.size().frames).toBe(10);
    expect(rawTexts()).toEqual([]);
    expect(status.notReady()).toBeNull();
    feed.takeOver(new Map([['BTCUSDT', { lastId: 4n, timeMs: 1723161255346, gaps: [], lost: [], resetTimeMs: null }]]));
    expect(written()).toEqual(ids(5, 10).map((id) => `BTCUSDT ${id}`));
    expect(kept.size().frames).toBe(0);
    peer.send(tradeFrame(11));
    await expect.poll(rawTexts).toEqual(ids(5, 11).map((id) => tradeFrame(id)));
  });

  test('keeps a frame that it cannot read, and writes it when it takes over', async () => {
    const { feed, kept, status, producer } = startFeed(['BTCUSDT'], undefined, { written: null });
    (await exchange.subscribed(1)).send('{"stream":');
    await expect.poll(() => kept.size().frames).toBe(1);
    expect(status.line()).toMatchObject({ errors: 0 });
    feed.takeOver(new Map());
    expect(producer.appended.map(({ topic, value }) => [topic, String(value)])).toEqual([
      ['raw', '{"stream":'],
      ['raw.dlq', '{"stream":'],
    ]);
  });

  test('that was the owner believes the new owner about what is written, not itself', async () => {
    const { feed, kept, written } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    for (const id of ids(1, 3)) peer.send(tradeFrame(id));
    await expect.poll(written).toEqual(ids(1, 3).map((id) => `BTCUSDT ${id}`));
    feed.standBy();
    for (const id of ids(4, 6)) peer.send(tradeFrame(id));
    await expect.poll(() => kept.size().frames).toBe(3);
    // Of what it had appended, the new owner found the first only, and wrote up to 4.
    feed.takeOver(new Map([['BTCUSDT', { lastId: 4n, timeMs: 1723161255346, gaps: [], lost: [], resetTimeMs: null }]]));
    expect(written()).toEqual([...ids(1, 3), ...ids(5, 6)].map((id) => `BTCUSDT ${id}`));
  });
});

describe('shutting down', () => {
  test('ends reading, also while nothing is listed', async () => {
    startFeed(['NOPE']);
    await expect.poll(() => exchange.listingRequests).toBe(1);
    stop.abort();
    await running;
    expect(exchange.connections.length).toBe(0);
  });

  test('appends nothing after it', async () => {
    const { producer } = startFeed(['BTCUSDT']);
    const peer = await exchange.subscribed(1);
    peer.send(tradeFrame(1));
    await producer.holds(2);
    const closed = once(peer, 'close');
    stop.abort();
    await running;
    await closed;
    expect(producer.appended.length).toBe(2);
  });
});

test('many symbols are subscribed in few messages, no faster than the exchange allows', async () => {
  const symbols = Array.from({ length: 700 }, (_, index) => `COIN${index}USDT`);
  exchange.symbols = new Map(symbols.map((symbol) => [symbol, [symbol.slice(0, -4), 'USDT']]));
  const times: number[] = [];
  exchange.answer = ({ id }) => {
    times.push(performance.now());
    return JSON.stringify({ result: null, id });
  };
  const { status } = startFeed(symbols);
  await expect.poll(() => status.symbolsIn('subscribed').length, { timeout: 10_000 }).toBe(symbols.length);
  expect(exchange.requests.length).toBeGreaterThan(2);
  const gapsMs = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(Math.min(...gapsMs)).toBeGreaterThan(200);
}, 20_000);
