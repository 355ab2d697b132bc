// Several workers of one feed as processes, with the exchange simulator, on topics of their own; and whether consumers
// that read committed see each trade once.
import { expect } from 'vitest';
import { type WorkerStatus, workerStatusSchema } from '../../api/worker-status.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { createFeedTopics, type FeedTopics } from './feed-topics.ts';
import { type LogLine, startWorker, type WorkerProcess } from './process.ts';

export const later = { timeout: 40_000, interval: 50 };

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];

export type Role = WorkerStatus['role'];

export async function status(worker: WorkerProcess): Promise<WorkerStatus> {
  return workerStatusSchema.parse(JSON.parse((await worker.get('/status')).body));
}

/** Waits for the role, and for its readiness. */
export async function becomes(worker: WorkerProcess, role: Role): Promise<void> {
  await expect.poll(async () => (await status(worker)).role, later).toBe(role);
  await expect.poll(() => worker.get('/readyz'), later).toEqual({ status: 200, body: 'ok\n' });
}

/** Waits until it has written some more. */
export async function writes(worker: WorkerProcess): Promise<void> {
  const before = (await status(worker)).tradesTotal;
  await expect.poll(async () => (await status(worker)).tradesTotal, later).toBeGreaterThan(before + 300);
}

export async function metric(worker: WorkerProcess, name: string): Promise<number> {
  const { body } = await worker.get('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
}

export class WorkerGroup {
  readonly simulator: Simulator;
  readonly topics: FeedTopics;
  readonly workers: WorkerProcess[] = [];
  readonly #exchange: string;

  constructor(exchange: string, simulator: Simulator, topics: FeedTopics) {
    this.#exchange = exchange;
    this.simulator = simulator;
    this.topics = topics;
  }

  start(instance: string, changes: Record<string, string> = {}): WorkerProcess {
    const worker = startWorker({
      K2_EXCHANGE: this.#exchange,
      K2_SYMBOLS: symbols.join(),
      K2_FEED: `test/${this.topics.normalized}`,
      K2_INSTANCE: instance,
      K2_EXCHANGE_WEBSOCKET_URL: `${this.simulator.webSocketUrl}/${this.#exchange}`,
      K2_EXCHANGE_REST_URL: `${this.simulator.url}/${this.#exchange}`,
      ...this.topics.environment,
      ...changes,
    });
    this.workers.push(worker);
    return worker;
  }

  /**
   * From the first written of each symbol to the last made, consumers see each trade once, and its raw frame. Ends all
   * workers.
   * @param owners who write all symbols between them
   */
  async expectEachTradeOnce(owners: WorkerProcess[]): Promise<void> {
    // Only a later trade shows that the one before it is missing.
    for (const symbol of symbols) await this.simulator.burst({ trades: 10, symbol });
    await this.simulator.pause();
    for (const owner of owners) {
      const missing = async () => (await status(owner)).symbols.filter(({ continuity }) => continuity?.missing !== 0);
      await expect.poll(missing, later).toEqual([]);
    }
    for (const { child, exited } of this.workers) {
      child.kill('SIGTERM');
      const code = await exited;
      expect(code === 0 || child.signalCode === 'SIGKILL').toBe(true);
    }
    const written = (await this.topics.trades()).map(({ symbol, id }) => `${symbol} ${id}`);
    const count = Map.groupBy(written, (trade) => trade);
    expect([...count].filter(([, times]) => times.length > 1).map(([trade]) => trade)).toEqual([]);
    for (const symbol of symbols) {
      const made: string[] = [];
      for await (const { id } of this.simulator.made({ symbol, exchange: this.#exchange }))
        made.push(`${symbol} ${id}`);
      const first = made.findIndex((trade) => count.has(trade));
      expect(first).toBeGreaterThanOrEqual(0);
      expect(made.slice(first).filter((trade) => !count.has(trade))).toEqual([]);
    }
    expect(await this.#tradesOfRaw()).toEqual(new Set(written));
  }

  /** The last lines of each worker's log, for a test that fails. */
  lastLines(): string {
    const text = ({ time, level, msg, ...rest }: LogLine) => `  ${time} ${level} ${msg} ${JSON.stringify(rest)}`;
    return this.workers.map(({ child, log }) => [`${child.pid}`, ...log.slice(-12).map(text)].join('\n')).join('\n');
  }

  async end(): Promise<void> {
    for (const { child, exited } of this.workers) {
      child.kill('SIGKILL');
      await exited;
    }
    await this.simulator.close();
    await this.topics.remove();
  }

  /** Read from the frames, which may hold several trades, and from the elements of REST answers. */
  async #tradesOfRaw(): Promise<Set<string>> {
    const trades = new Set<string>();
    for (const { key, value, headers } of await this.topics.consume(this.topics.raw)) {
      if (headers?.['k2-source'] !== undefined) {
        trades.add(`${key} ${(JSON.parse(String(value)) as { id: number }).id}`);
        continue;
      }
      const parsed = exchanges[this.#exchange]?.parse(value as Buffer);
      if (parsed?.kind !== 'trades') throw new Error(`a raw record without a trade: ${value}`);
      for (const { symbol, tradeId } of parsed.trades) trades.add(`${symbol} ${tradeId}`);
    }
    return trades;
  }
}

let groups = 0;

export async function createWorkerGroup(exchange = 'binance'): Promise<WorkerGroup> {
  const topics = await createFeedTopics(`handover-test-${process.pid}-${Date.now()}-${groups++}`);
  const simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 500, symbols });
  return new WorkerGroup(exchange, simulator, topics);
}
