// Whatever goes wrong between the exchange and the worker: afterwards the trades written are those that were made.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { workerStatusSchema } from '../../api/worker-status.ts';
import { binance } from '../../worker/exchanges/binance.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { createMemoryProducer, type MemoryProducer } from './memory-producer.ts';
import { type RunningFeed, runFeed } from './run-feed.ts';

vi.setConfig({ testTimeout: 60_000 });

const later = { timeout: 10_000 };

const names = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
/** Pings come three times a second here, so a connection without one is stale soon. */
const exchange = { ...binance, silenceMsMax: 1000 };

let simulator: Simulator;
let stop: AbortController;
let run: RunningFeed;

beforeEach(async () => {
  const settings = { pingIntervalMs: 300 };
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 300, symbols: names, settings });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await run.ended;
  await simulator.close();
});

async function start(producer: MemoryProducer = createMemoryProducer()): Promise<void> {
  const urls = { webSocketUrl: simulator.webSocketUrl, restUrl: simulator.url };
  run = runFeed({ exchangeId: 'binance', exchange, ...urls, names, producer }, stop.signal);
  await hasWritten(100);
}

async function hasWritten(more: number): Promise<void> {
  await run.producer.holds(run.producer.appended.length + 2 * more);
}

/** From the first trade of each symbol that was written to the last that was made. */
async function expectEveryTradeOnce(): Promise<void> {
  await hasWritten(100);
  await simulator.pause();
  const made: string[] = [];
  for await (const { symbol, id } of simulator.made({ exchange: 'binance' })) made.push(`${symbol} ${id}`);
  await expect.poll(() => new Set(run.written()).has(made.at(-1) ?? ''), { timeout: 20_000 }).toBe(true);
  const expected = () => {
    const firstIds = new Map<string, bigint>();
    for (const text of run.written()) {
      const [symbol = '', id = '0'] = text.split(' ');
      const first = firstIds.get(symbol);
      if (first === undefined || BigInt(id) < first) firstIds.set(symbol, BigInt(id));
    }
    return made.filter((text) => BigInt(text.split(' ')[1] ?? 0) >= (firstIds.get(text.split(' ')[0] ?? '') ?? 0n));
  };
  await expect.poll(() => run.written().length, { timeout: 30_000 }).toBe(expected().length);
  expect(run.written().sort()).toEqual(expected().sort());
  await expect
    .poll(() => run.status.snapshot().symbols.every(({ continuity }) => continuity?.proven), later)
    .toBe(true);
  expect(workerStatusSchema.parse(run.status.snapshot()).completeness).toBe(100);
}

const count = async (metric: 'backfilled' | 'duplicates' | 'deadLetters' | 'pauses') =>
  (await run.metrics[metric].get()).values.reduce((sum, { value }) => sum + value, 0);

test('a cut connection: what came meanwhile is repaired', async () => {
  await start();
  await simulator.setAccepting({ accepting: false });
  await simulator.cut();
  await simulator.burst({ trades: 3000 });
  await simulator.setAccepting({ accepting: true });
  await expectEveryTradeOnce();
  expect(await count('backfilled')).toBeGreaterThanOrEqual(3000);
});

test('a half-open connection is found and replaced', async () => {
  await start();
  await simulator.stall({ stalled: true });
  await expectEveryTradeOnce();
  expect(await count('backfilled')).toBeGreaterThan(0);
  const reasons = (await run.metrics.disconnects.get()).values.map(({ labels }) => labels.reason);
  expect(reasons).toContain('stale');
});

test('dropped, doubled, overtaken and broken frames', async () => {
  await start();
  await simulator.addFrameFault({ kind: 'drop', frames: 30, chance: 0.2 });
  await simulator.addFrameFault({ kind: 'duplicate', frames: 30, chance: 0.2 });
  await simulator.addFrameFault({ kind: 'reorder', frames: 8 });
  await simulator.addFrameFault({ kind: 'delay', frames: 5, delayMs: 300 });
  await simulator.addFrameFault({ kind: 'garbage', frames: 3 });
  await simulator.addFrameFault({ kind: 'truncate', frames: 3 });
  await hasWritten(1000);
  await expectEveryTradeOnce();
  expect(await count('backfilled')).toBeGreaterThanOrEqual(30);
  expect(await count('duplicates')).toBeGreaterThanOrEqual(30);
  expect(await count('deadLetters')).toBe(6);
  expect(run.producer.appended.filter(({ topic }) => topic === 'raw.dlq').length).toBe(6);
});

test('a frame larger than any may be ends the connection, and its trades are repaired', async () => {
  await start();
  await simulator.addFrameFault({ kind: 'oversize', frames: 1, bytes: 1024 * 1024 });
  await expectEveryTradeOnce();
  expect(await count('backfilled')).toBeGreaterThan(0);
});

test('an announced shutdown: another connection takes over, and nothing has to be repaired', async () => {
  await start();
  await simulator.shutDownConnections({ afterMs: 8000 });
  await expect.poll(async () => (await simulator.state()).connections.length, later).toBe(2);
  await expect
    .poll(async () => (await simulator.state()).connections.filter(({ closed }) => closed).length, later)
    .toBe(1);
  await expectEveryTradeOnce();
  expect(await count('backfilled')).toBe(0);
  expect(await count('duplicates')).toBeGreaterThan(0);
});

test('history that answers with errors, late, and with "too many requests" is asked again', async () => {
  const path = '/api/v3/historicalTrades';
  await start();
  await simulator.addRestFault({ path, status: 500, requests: 1 });
  await simulator.addRestFault({ path, status: 429, retryAfterSeconds: 1, requests: 1 });
  await simulator.addRestFault({ path, delayMs: 300, requests: 1 });
  await simulator.addFrameFault({ kind: 'drop', frames: 20 });
  await expectEveryTradeOnce();
  const requests = (await run.metrics.backfillRequests.get()).values;
  expect(requests).toContainEqual({ labels: { outcome: 'failed' }, value: 2 });
});

test('a broker that is away: reading pauses, the exchange cuts the connection, and the rest is repaired', async () => {
  const producer = createMemoryProducer(1000);
  await start(producer);
  await expect.poll(() => count('pauses'), later).toBeGreaterThan(0);
  await simulator.burst({ trades: 5000 });
  await simulator.cut();
  await simulator.burst({ trades: 2000 });
  const acknowledging = setInterval(() => producer.acknowledge(), 20);
  await expectEveryTradeOnce();
  clearInterval(acknowledging);
  expect(await count('backfilled')).toBeGreaterThanOrEqual(2000);
});

test('a quiet symbol is asked for after an interruption, though no trade of it comes', async () => {
  await start();
  await simulator.pause();
  await simulator.setAccepting({ accepting: false });
  await simulator.cut();
  await simulator.burst({ trades: 500, symbol: 'BNBUSDT' });
  await simulator.setAccepting({ accepting: true });
  await expect.poll(() => count('backfilled'), { timeout: 30_000 }).toBeGreaterThanOrEqual(500);
  await simulator.resume();
  await expectEveryTradeOnce();
});

test('ids that begin anew are written on', async () => {
  await start();
  await simulator.resetIds({ symbol: 'BTCUSDT' });
  const written = new Set(run.written());
  await expect
    .poll(() => run.written().filter((text) => text.startsWith('BTCUSDT') && !written.has(text)).length, later)
    .toBeGreaterThan(50);
  expect(new Set(run.written()).size).toBe(run.written().length);
});
