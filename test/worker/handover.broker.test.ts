// Workers of one shard that end, die, hang and come back, with the exchange simulator, a real broker and a real
// registry: consumers that read committed see each trade once.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { workerStatusSchema } from '../../api/worker-status.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import { signOfLifeMs, silenceMsMax } from '../../worker/ownership.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { createFeedTopics, type FeedTopics } from './feed-topics.ts';
import { startWorker, type WorkerProcess } from './process.ts';

vi.setConfig({ testTimeout: 120_000 });

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
const later = { timeout: 40_000, interval: 50 };

let simulator: Simulator;
let topics: FeedTopics;
let workers: WorkerProcess[];
let runs = 0;

beforeEach(async () => {
  workers = [];
  topics = await createFeedTopics(`handover-test-${process.pid}-${Date.now()}-${runs++}`);
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 500, symbols });
});
afterEach(async () => {
  for (const worker of workers) {
    worker.child.kill('SIGKILL');
    await worker.exited;
  }
  await simulator.close();
  await topics.remove();
});

function start(instance: string, changes: Record<string, string> = {}): WorkerProcess {
  const worker = startWorker({
    K2_EXCHANGE: 'binance',
    K2_SYMBOLS: symbols.join(),
    K2_FEED: `test/${topics.normalized}`,
    K2_INSTANCE: instance,
    K2_EXCHANGE_WEBSOCKET_URL: simulator.webSocketUrl,
    K2_EXCHANGE_REST_URL: simulator.url,
    ...topics.environment,
    ...changes,
  });
  workers.push(worker);
  return worker;
}

const status = async (worker: WorkerProcess) =>
  workerStatusSchema.parse(JSON.parse((await worker.get('/status')).body));

async function becomes(worker: WorkerProcess, role: 'owner' | 'standby'): Promise<void> {
  await expect.poll(async () => (await status(worker)).role, later).toBe(role);
  await expect.poll(() => worker.get('/readyz'), later).toEqual({ status: 200, body: 'ok\n' });
}

async function writes(worker: WorkerProcess): Promise<void> {
  const before = (await status(worker)).tradesTotal;
  await expect.poll(async () => (await status(worker)).tradesTotal, later).toBeGreaterThan(before + 300);
}

async function metric(worker: WorkerProcess, name: string): Promise<number> {
  const { body } = await worker.get('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
}

const times = (worker: WorkerProcess, words: string) => worker.log.filter(({ msg }) => msg.includes(words)).length;

/** From the first written of each symbol to the last made, consumers see each once, and each one's raw frame. */
async function expectEachTradeOnce(owners: WorkerProcess[], exchange = 'binance'): Promise<void> {
  // Only a later trade shows that the one before it is missing.
  for (const symbol of symbols) await simulator.burst({ trades: 10, symbol });
  await simulator.pause();
  const made: string[] = [];
  for (const symbol of symbols) {
    for await (const { id } of simulator.made({ symbol, exchange })) made.push(`${symbol} ${id}`);
  }
  const last = symbols.map((symbol) => made.findLast((trade) => trade.startsWith(symbol)));
  for (const owner of owners) {
    const missing = async () => (await status(owner)).symbols.filter(({ continuity }) => continuity?.missing !== 0);
    await expect.poll(missing, later).toEqual([]);
  }
  for (const worker of workers) {
    worker.child.kill('SIGTERM');
    expect(await worker.exited).toSatisfy((code: number | null) => code === 0 || worker.child.signalCode === 'SIGKILL');
  }
  const written = (await topics.trades()).map(({ symbol, id }) => `${symbol} ${id}`);
  for (const [index, symbol] of symbols.entries()) {
    const order = new Map(made.map((trade, at) => [trade, at]));
    const found = written.filter((trade) => trade.startsWith(symbol));
    const count = Map.groupBy(found, (trade) => trade);
    expect([...count].filter(([, times]) => times.length > 1).map(([trade]) => trade)).toEqual([]);
    found.sort((a, b) => (order.get(a) ?? -1) - (order.get(b) ?? -1));
    const ofSymbol = made.filter((trade) => trade.startsWith(symbol));
    expect(found.at(-1)).toBe(last[index]);
    expect(found).toEqual(ofSymbol.slice(ofSymbol.indexOf(found[0] ?? '')));
  }
  expect(await tradesOfRaw(exchange)).toEqual(new Set(written));
}

/** Read from the frames, which may hold several trades, and from the elements of REST answers. */
async function tradesOfRaw(exchange: string): Promise<Set<string>> {
  const trades = new Set<string>();
  for (const { key, value, headers } of await topics.consume(topics.raw)) {
    if (headers?.['k2-source'] !== undefined) {
      trades.add(`${key} ${(JSON.parse(String(value)) as { id: number }).id}`);
      continue;
    }
    const parsed = exchanges[exchange]?.parse(value as Buffer);
    if (parsed?.kind !== 'trades') throw new Error(`a raw record without a trade: ${value}`);
    for (const { symbol, tradeId } of parsed.trades) trades.add(`${symbol} ${tradeId}`);
  }
  return trades;
}

describe('a standby takes over', () => {
  test('at once when the owner is told to end, and nothing is lost or doubled', async () => {
    const first = start('first');
    await becomes(first, 'owner');
    const second = start('second');
    await becomes(second, 'standby');
    expect((await status(second)).message).toContain('first');
    await writes(first);
    const startedMs = performance.now();
    first.child.kill('SIGTERM');
    await second.logged(({ msg }) => msg.startsWith('took over'));
    // A tenth of a second where the machine is not busy; of the owner's silence, nothing is waited for.
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(await first.exited).toBe(0);
    await writes(second);
    await expectEachTradeOnce([second]);
  });

  test('after 15 s when the owner is killed, but not from one whose market is quiet', async () => {
    const first = start('first');
    await becomes(first, 'owner');
    const second = start('second');
    await becomes(second, 'standby');
    await writes(first);
    await simulator.pause();
    const transactions = () => metric(first, 'k2_worker_transaction_seconds_count');
    const before = await transactions();
    await expect.poll(transactions, later).toBeGreaterThan(before + silenceMsMax / signOfLifeMs + 1);
    expect((await status(second)).role).toBe('standby');
    await simulator.resume();
    first.child.kill('SIGKILL');
    const startedMs = performance.now();
    await becomes(second, 'owner');
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(9000);
    expect(tookMs).toBeLessThan(20_000);
    await writes(second);
    await expectEachTradeOnce([second]);
  });

  test('when the owner hangs, which is fenced afterwards, writes nothing and does not take it back', async () => {
    const first = start('first');
    await becomes(first, 'owner');
    const second = start('second');
    await becomes(second, 'standby');
    await writes(first);
    first.child.kill('SIGSTOP');
    await becomes(second, 'owner');
    await writes(second);
    const writtenByFirst = first.log.length;
    first.child.kill('SIGCONT');
    await becomes(first, 'standby');
    expect(first.log.slice(writtenByFirst).some(({ msg }) => msg.includes('another worker has taken over'))).toBe(true);
    const before = (await status(first)).tradesTotal;
    await writes(second);
    await writes(second);
    expect((await status(first)).tradesTotal).toBe(before);
    expect([times(first, 'took over'), times(second, 'took over')]).toEqual([1, 1]);
    // It is a standby like any other: the next release is its turn.
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    await becomes(first, 'owner');
    await writes(first);
    await expectEachTradeOnce([first]);
  });

  test('on an exchange whose ids prove nothing, without doubles', async () => {
    const changes = {
      K2_EXCHANGE: 'bybit',
      K2_EXCHANGE_WEBSOCKET_URL: `${simulator.webSocketUrl}/bybit`,
      K2_EXCHANGE_REST_URL: `${simulator.url}/bybit`,
    };
    const first = start('first', changes);
    await becomes(first, 'owner');
    const second = start('second', changes);
    await becomes(second, 'standby');
    await writes(first);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    await becomes(second, 'owner');
    await writes(second);
    await expectEachTradeOnce([second], 'bybit');
  });
});

test('a standby that is told to end leaves at once, and leaves the owner alone', async () => {
  const first = start('first');
  await becomes(first, 'owner');
  const second = start('second');
  await becomes(second, 'standby');
  second.child.kill('SIGTERM');
  expect(await second.exited).toBe(0);
  await writes(first);
  expect(await metric(first, 'k2_worker_fenced_total')).toBe(0);
  await expectEachTradeOnce([first]);
});

test('a symbol that moves to another shard takes its cursor along, and is written by one of them at a time', async () => {
  const both = start('both');
  await becomes(both, 'owner');
  await writes(both);
  const moved = start('moved', { K2_SHARD: '1', K2_SYMBOLS: 'BNBUSDT' });
  await becomes(moved, 'standby');
  expect((await status(moved)).message).toBe('standby: shard 0 (both) writes BNBUSDT');
  const rest = start('rest', { K2_SYMBOLS: 'BTCUSDT,ETHUSDT' });
  await becomes(rest, 'standby');
  both.child.kill('SIGTERM');
  await Promise.all([becomes(rest, 'owner'), becomes(moved, 'owner')]);
  await Promise.all([writes(rest), writes(moved)]);
  await expectEachTradeOnce([rest, moved]);
});

test('a cursor topic that is missing is told, and the worker goes on once it is there', async () => {
  const worker = start('first', { K2_KAFKA_TOPIC_CURSORS: `${topics.cursors}.missing` });
  await expect
    .poll(() => worker.get('/readyz'), later)
    .toMatchObject({
      status: 503,
      body: expect.stringContaining(`rpk topic create ${topics.cursors}.missing`),
    });
  expect((await status(worker)).tradesTotal).toBe(0);
  worker.child.kill('SIGTERM');
  expect(await worker.exited).toBe(0);
});

describe('a worker', () => {
  test('that was killed and started again under the same name goes on at once', async () => {
    const first = start('first');
    await becomes(first, 'owner');
    await writes(first);
    first.child.kill('SIGKILL');
    await first.exited;
    const again = start('first');
    const startedMs = performance.now();
    await becomes(again, 'owner');
    expect(performance.now() - startedMs).toBeLessThan(8000);
    await writes(again);
    await expectEachTradeOnce([again]);
  });

  test('goes on where one that wrote at least once has ended', async () => {
    const first = start('first', { K2_DELIVERY: 'AtLeastOnce' });
    await becomes(first, 'owner');
    await writes(first);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    await simulator.burst({ trades: 2000 });
    const second = start('second');
    await becomes(second, 'owner');
    await writes(second);
    await expectEachTradeOnce([second]);
    expect((await topics.trades()).filter(({ isBackfilled }) => isBackfilled).length).toBeGreaterThanOrEqual(2000);
  });
});
