// A reader of what is committed, as any consumer would be: Kafka's Java client follows the feeds' topics all through a
// run, and each trade that it hands over is noted with the time at which it came.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { consumerCommand } from '../consumer/consumer.ts';
import type { Bed, ConsumedRecord } from '../e2e/bed.ts';
import type { Normalized } from '../e2e/trade-oracle.ts';
import { endsWithUs } from '../services/java.ts';
import type { Feed } from './feeds.ts';
import { SeenIds } from './seen-ids.ts';

export type FollowedRecord = ConsumedRecord & { topic: string };

export interface Doubled {
  topic: string;
  symbol: string;
  id: string;
}

/** What is read from one moment on. */
export class Watch {
  readonly sinceMs: number;
  /** By `topic symbol`: when the first trade came that was made since. */
  readonly #firstMs = new Map<string, number>();
  /** By topic: the longest way of a trade from the exchange to here. */
  readonly #delayMs = new Map<string, number>();

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  note(topic: string, symbol: string, exchangeMs: number, nowMs: number): void {
    this.#delayMs.set(topic, Math.max(this.#delayMs.get(topic) ?? 0, nowMs - exchangeMs));
    const key = `${topic} ${symbol}`;
    if (exchangeMs > this.sinceMs && !this.#firstMs.has(key)) this.#firstMs.set(key, nowMs);
  }

  /** Milliseconds from the beginning to the first trade made since; undefined: none has come yet. */
  firstMs(topic: string, symbol: string): number | undefined {
    const atMs = this.#firstMs.get(`${topic} ${symbol}`);
    return atMs === undefined ? undefined : atMs - this.sinceMs;
  }

  stallMs(topic: string): number {
    return this.#delayMs.get(topic) ?? 0;
  }
}

export class Reader {
  readonly doubled: Doubled[] = [];
  readonly #seen = new Map<string, SeenIds>();
  readonly #child: ChildProcess;
  #watches: Watch[] = [];
  #lastMs = Date.now();
  #ended: string | null = null;

  /** The topics must exist. @param onProblem what the client says of itself, one line */
  constructor(bed: Bed, feeds: readonly Feed[], onProblem: (line: string) => void) {
    const topics = feeds.map(({ topic }) => topic).join(',');
    const words = consumerCommand(bed.consumerFolder, bed.bootstrapServers, topics, bed.schemaRegistryUrl, 'follow');
    this.#child = spawn('setpriv', [...endsWithUs, 'java', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#child;
    if (stdout) createInterface({ input: stdout }).on('line', (line) => this.#take(line));
    if (stderr) createInterface({ input: stderr }).on('line', onProblem);
    this.#child.on('error', (error) => {
      this.#ended = error.message;
    });
    this.#child.on('exit', (code, signal) => {
      this.#ended = `it ended with ${signal ?? code}`;
    });
  }

  /** Notes what is read from now on. End it with forget(). */
  watch(): Watch {
    const watch = new Watch(Date.now());
    this.#watches.push(watch);
    return watch;
  }

  forget(watch: Watch): void {
    this.#watches = this.#watches.filter((one) => one !== watch);
  }

  /** Ids between the first and the last that have not been read. */
  holes(topic: string, symbol: string): string[] {
    return this.#seen.get(`${topic} ${symbol}`)?.holes() ?? [];
  }

  /** Since when nothing has come, milliseconds. */
  quietMs(): number {
    return Date.now() - this.#lastMs;
  }

  /** Null: it reads; otherwise why it cannot be relied upon any more. */
  get problem(): string | null {
    return this.#ended;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #take(line: string): void {
    const nowMs = Date.now();
    const { topic, key, avro } = JSON.parse(line) as FollowedRecord;
    const { trade_id: id, exchange_timestamp: exchangeMs } = avro as Normalized;
    const symbol = key ?? '';
    const seen = this.#seen.get(`${topic} ${symbol}`) ?? new SeenIds();
    this.#seen.set(`${topic} ${symbol}`, seen);
    this.#lastMs = nowMs;
    if (!seen.add(BigInt(id))) this.doubled.push({ topic, symbol, id });
    for (const watch of this.#watches) watch.note(topic, symbol, exchangeMs, nowMs);
  }
}
