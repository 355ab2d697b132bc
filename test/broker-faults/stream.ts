// One feed on brokers that break: the exchange simulator, its topics, and its workers, which are real processes; and
// what must be true at the end, whatever happened.
import { readFileSync } from 'node:fs';
import type { Message } from 'kafkajs';
import { expect, vi } from 'vitest';
import { type WorkerStatus, workerStatusSchema } from '../../api/worker-status.ts';
import { until } from '../cluster/until.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { createFeedTopics, type FeedTopics } from '../worker/feed-topics.ts';
import { startWorker, type WorkerProcess } from '../worker/process.ts';
import { tradeOfMade, tradeOfNormalized, tradeOfRaw } from './comparison.ts';
import type { World } from './world.ts';

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
/** Of a broker that is started again on a busy machine, its partitions, and the producer's longest wait. */
export const later = { timeout: 60_000, interval: 100 };
/** 60 MB at rest; the rest is the buffer of 32 MiB, its batches, and garbage. */
export const workerMemoryMiBMax = 400;

/** Of each worker's log. */
const linesTold = 30;

let runs = 0;

export class Stream {
  readonly simulator: Simulator;
  readonly topics: FeedTopics;
  readonly #world: World;
  readonly #workers: WorkerProcess[] = [];

  private constructor(world: World, simulator: Simulator, topics: FeedTopics) {
    this.#world = world;
    this.simulator = simulator;
    this.topics = topics;
  }

  /** Nothing is traded until there is an owner, so that all that is ever made is the worker's to write. */
  static async create(world: World): Promise<Stream> {
    vi.stubEnv('K2_TEST_BOOTSTRAP_SERVERS', world.cluster.bootstrapServers);
    vi.stubEnv('K2_TEST_SCHEMA_REGISTRY_URL', world.registryUrl);
    const topics = await createFeedTopics(`faults-${process.pid}-${runs++}`);
    const simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, symbols });
    return new Stream(world, simulator, topics);
  }

  start(instance = 'first', changes: Record<string, string> = {}): WorkerProcess {
    const worker = startWorker({
      K2_EXCHANGE: 'binance',
      K2_SYMBOLS: symbols.join(),
      K2_FEED: `test/${this.topics.normalized}`,
      K2_INSTANCE: instance,
      K2_EXCHANGE_WEBSOCKET_URL: this.simulator.webSocketUrl,
      K2_EXCHANGE_REST_URL: this.simulator.url,
      ...this.topics.environment,
      K2_KAFKA_BOOTSTRAP_SERVERS: this.#world.cluster.advertisedServers,
      ...changes,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** A worker that owns the feed, and trades for it. */
  async owner(tradesPerSecond: number, changes: Record<string, string> = {}): Promise<WorkerProcess> {
    return this.tradesFor(this.start('first', changes), tradesPerSecond);
  }

  /** Trading begins once the worker owns the feed. */
  async tradesFor(worker: WorkerProcess, tradesPerSecond: number): Promise<WorkerProcess> {
    await becomes(worker, 'owner');
    await this.simulator.setRate({ tradesPerSecond });
    await writes(worker);
    return worker;
  }

  /** From now on no transaction of the owner is ended, and one is open; until the network is opened again. */
  async leaveOpen(): Promise<void> {
    const { network, admin } = this.#world;
    network.fault('end', 'request lost', Number.POSITIVE_INFINITY);
    const [transactionalId] = await until('a transaction to be left open', later.timeout, async () => {
      // The first may be one whose end was under way already.
      const [first, second] = [await admin.openTransactions(), await admin.openTransactions()];
      return first.length > 0 && second.length > 0 ? second : undefined;
    });
    expect(transactionalId).toBe(`test/${this.topics.normalized}/0`);
  }

  /** Trading has paused, and this worker has written the last trade of each symbol, and misses none. */
  async untilWritten(worker: WorkerProcess): Promise<void> {
    const lastMs = new Map<string, number>();
    for await (const { symbol, timeUs } of this.simulator.made({ exchange: 'binance' })) {
      lastMs.set(symbol, Math.floor(timeUs / 1000));
    }
    await expect.poll(() => unwritten(worker, lastMs), later).toEqual([]);
  }

  /**
   * Every trade that was made is in both topics, once, field for field, for those who read what is committed.
   * @param before what a normalized topic held that is no more
   */
  async expectEachTradeOnce(owner: WorkerProcess, before: Message[] = []): Promise<void> {
    const { simulator, topics } = this;
    // Only a later trade shows that the one before it is missing.
    for (const symbol of symbols) await simulator.burst({ trades: 10, symbol });
    await simulator.pause();
    await this.untilWritten(owner);
    const made = new Map<string, string>();
    for await (const trade of simulator.made({ exchange: 'binance' })) {
      made.set(`${trade.symbol} ${trade.id}`, tradeOfMade(trade));
    }
    const memory = this.#workers.map(memoryMiB).filter((used) => used !== null);
    await this.#end();
    const normalized = before.concat(await topics.consume(topics.normalized)).map(tradeOfNormalized);
    const raw = (await topics.consume(topics.raw)).map(tradeOfRaw);
    expect(differences(made, normalized)).toEqual([]);
    expect(differences(made, raw)).toEqual([]);
    expect(Math.max(0, ...memory)).toBeLessThan(workerMemoryMiBMax);
    console.log(`${made.size} trades, each once; worker's memory at most ${Math.max(0, ...memory)} MiB`);
  }

  /** For a test that failed. */
  tell(): void {
    for (const { log, stderr } of this.#workers) {
      console.log(
        log
          .slice(-linesTold)
          .map((line) => JSON.stringify(line))
          .join('\n'),
        stderr(),
      );
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#workers) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(this.#workers.map(({ exited }) => exited));
    await this.simulator.close();
    // Topics that cannot be removed go with their brokers.
    await this.topics.remove().catch(() => {});
  }

  async #end(): Promise<void> {
    for (const worker of this.#workers) {
      worker.child.kill('SIGTERM');
      const code = await worker.exited;
      const isOk = code === 0 || worker.child.signalCode === 'SIGKILL';
      expect(isOk ? 'ended well' : JSON.stringify(worker.log.slice(-5))).toBe('ended well');
    }
  }
}

export async function status(worker: WorkerProcess): Promise<WorkerStatus> {
  return workerStatusSchema.parse(JSON.parse((await worker.get('/status')).body));
}

export async function becomes(worker: WorkerProcess, role: 'owner' | 'standby'): Promise<void> {
  await expect.poll(async () => (await status(worker)).role, later).toBe(role);
  await expect.poll(async () => (await worker.get('/readyz')).body, later).toBe('ok\n');
}

/** New trades reach the brokers: whatever was wrong is over. */
export async function writes(worker: WorkerProcess, trades = 300): Promise<void> {
  const before = (await status(worker)).tradesTotal;
  await expect.poll(async () => (await status(worker)).tradesTotal, later).toBeGreaterThan(before + trades);
}

/** What /status tells a person, once it does. */
export async function says(worker: WorkerProcess, words: RegExp): Promise<void> {
  await expect.poll(async () => (await status(worker)).message, later).toMatch(words);
}

/** What a worker holds in memory for its brokers, and how often it stopped reading because that was full. */
export async function readings(worker: WorkerProcess): Promise<{ records: number; bytes: number; pauses: number }> {
  const { body } = await worker.get('/metrics');
  const of = (name: string) => Number(new RegExp(`^k2_worker_${name} (.*)$`, 'm').exec(body)?.[1]);
  return { records: of('buffer_records'), bytes: of('buffer_bytes'), pauses: of('pauses_total') };
}

async function unwritten(worker: WorkerProcess, lastMs: Map<string, number>): Promise<string[]> {
  return (await status(worker)).symbols
    .filter(({ symbol, lastTradeTimeMs, continuity }) => {
      return lastTradeTimeMs !== lastMs.get(symbol) || continuity?.missing !== 0;
    })
    .map(({ symbol, lastTradeTimeMs, continuity }) => `${symbol}: ${lastTradeTimeMs}, ${continuity?.message}`);
}

/** The most that a process ever had; null: it has ended. */
function memoryMiB({ child }: WorkerProcess): number | null {
  if (child.exitCode !== null || child.signalCode !== null) return null;
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
  return Math.ceil(Number(kibibytes) / 1024);
}

/** The first ones. */
function differences(made: Map<string, string>, found: { key: string; text: string }[]): string[] {
  const all = found.flatMap(({ key, text }) => (made.get(key) === text ? [] : [`${text} is not as made`]));
  const times = new Map<string, number>();
  for (const { key } of found) times.set(key, (times.get(key) ?? 0) + 1);
  for (const key of made.keys()) if (!times.has(key)) all.push(`${key} is lost`);
  for (const [key, count] of times) if (count > 1) all.push(`${key} is there ${count} times`);
  return all.length > 20 ? [`${all.length} differences`, ...all.slice(0, 20)] : all;
}
