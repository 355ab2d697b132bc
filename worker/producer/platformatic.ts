// The producer on @platformatic/kafka: idempotent, acks=all, one request in flight. Meanwhile the next batch collects
// by itself, so batches grow with the load, and no latency is spent on waiting when there is none.
import { setTimeout as sleep } from 'node:timers/promises';
import { Producer as Client, type MessageToProduce } from '@platformatic/kafka';
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { partitionHash } from './partition.ts';
import type { Producer, ProducerEvents, ProducerRecord } from './producer.ts';

/** About 50,000 trades with their frames: five minutes of a broker's absence at the 168 trades/s of a usual feed. */
export const bufferBytesMax = 32 * 1024 * 1024;
export const bufferRecordsMax = 100_000;

/** A record's share of objects and framing, so that many small records count for what they take. */
const recordBytesOverhead = 150;
const headerBytesOverhead = 40;

/** One request; it stays below the broker's default message.max.bytes of 1 MiB even if all goes to one partition. */
const batchBytesMax = 512 * 1024;
const batchRecordsMax = 2000;

/** The first record after an idle spell waits this long for company: trades come in bursts of a millisecond or two. */
const lingerMs = 5;

const retryLimits: BackoffLimits = { delayMsBase: 100, delayMsMax: 5000 };

/**
 * Repeats within one send, about ten minutes. They reuse the producer id and the sequence, so the broker drops what it
 * already has. The client remembers each error, hence a limit; after it the batch is sent anew, and may be doubled.
 */
const retriesMax = 130;

/** Keys whose partition is remembered; more than the symbols of any feed. */
const keysMax = 10_000;

const metadataAgeMsMax = 60_000;

/** A broker that neither answers nor closes is told after this time, and asked again over a new connection. */
const requestMsMax = 10_000;

export interface PlatformaticOptions extends ProducerEvents {
  bootstrapServers: string[];
  clientId: string;
  /** A number in [0, 1). */
  random: () => number;
}

type Message = MessageToProduce<Buffer, Buffer, Buffer, Buffer>;

export class PlatformaticProducer implements Producer {
  readonly #options: PlatformaticOptions;
  readonly #servers: string;
  readonly #client: Client<Buffer, Buffer, Buffer, Buffer>;
  readonly #destinations = new Map<string, { key: Buffer; partition: number }>();
  readonly #headerNames = new Map<string, Buffer>();
  #waiting: ProducerRecord[] = [];
  #sending: readonly ProducerRecord[] = [];
  /** Of both. */
  #bytes = 0;
  #roomWaiters: (() => void)[] = [];
  /** Sends until nothing waits; null when idle. */
  #loop: Promise<void> | null = null;
  #closed = false;

  constructor(options: PlatformaticOptions) {
    this.#options = options;
    this.#servers = options.bootstrapServers.join(',');
    this.#client = new Client({
      clientId: options.clientId,
      bootstrapBrokers: options.bootstrapServers,
      idempotent: true,
      autocreateTopics: false,
      retries: retriesMax,
      retryDelay: (_client, _operation, attempt, _retries, error) => {
        this.#reportFailure(error);
        return backoffDelayMs(attempt, retryLimits, options.random());
      },
      metadataMaxAge: metadataAgeMsMax,
      requestTimeout: requestMsMax,
    });
  }

  append(record: ProducerRecord): boolean {
    this.#waiting.push(record);
    this.#bytes += recordBytes(record);
    this.#loop ??= this.#sendAll();
    return this.#isBelow(1);
  }

  room(): Promise<void> {
    return this.#isBelow(0.5) ? Promise.resolve() : new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  buffered(): { records: number; bytes: number } {
    return { records: this.#waiting.length + this.#sending.length, bytes: this.#bytes };
  }

  async flush(waitMsMax: number): Promise<number> {
    const flushed = new AbortController();
    await Promise.race([this.#loop, sleep(waitMsMax, undefined, { signal: flushed.signal })]);
    flushed.abort();
    return this.buffered().records;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client.close(true);
  }

  /**
   * Asks the broker for the topics; never creates one.
   * @throws Error in one sentence: which topic is missing, or why the broker does not answer
   */
  async checkTopics(topics: string[]): Promise<void> {
    for (const topic of topics) {
      try {
        await this.#client.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      } catch (error) {
        // The client has no code of its own for it: only this sentence.
        if (!/^Unknown topic/.test((error as Error).message)) {
          throw new Error(`broker ${this.#servers} does not answer: ${describe(error as Error)}`, { cause: error });
        }
        const remedy = `the controller makes it, or: rpk topic create ${topic}`;
        throw new Error(`topic ${topic} does not exist on broker ${this.#servers}; ${remedy}`, { cause: error });
      }
    }
  }

  async #sendAll(): Promise<void> {
    await sleep(lingerMs);
    while (this.#waiting.length > 0 && !this.#closed) {
      this.#sending = this.#takeBatch();
      if (!(await this.#send(this.#sending))) return;
      const delivered = this.#sending;
      this.#sending = [];
      for (const record of delivered) this.#bytes -= recordBytes(record);
      this.#options.onDelivered(delivered);
      if (this.#isBelow(0.5)) this.#wakeWaiters();
    }
    this.#loop = null;
  }

  /** @returns false when the producer was closed before the broker had it */
  async #send(batch: readonly ProducerRecord[]): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      try {
        await this.#client.send({ messages: batch.map((record) => this.#toMessage(record)) });
        return true;
      } catch (error) {
        if (this.#closed) return false;
        this.#reportFailure(error as Error);
        await sleep(backoffDelayMs(failures, retryLimits, this.#options.random()));
      }
    }
  }

  #takeBatch(): ProducerRecord[] {
    let bytes = 0;
    let count = 0;
    for (const record of this.#waiting) {
      bytes += recordBytes(record);
      if (count > 0 && (bytes > batchBytesMax || count === batchRecordsMax)) break;
      count++;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  #toMessage(record: ProducerRecord): Message {
    const { topic, value, timeMs } = record;
    const headers = new Map(record.headers.map(([name, text]) => [this.#headerName(name), Buffer.from(text)]));
    const message = { topic, value, headers, timestamp: BigInt(timeMs) };
    if (record.key === null) return { ...message, partition: 0 };
    const { key, partition } = this.#destination(record.key);
    // The client takes it modulo the topic's number of partitions.
    return { ...message, key, partition };
  }

  #destination(key: string): { key: Buffer; partition: number } {
    const known = this.#destinations.get(key);
    if (known) return known;
    if (this.#destinations.size >= keysMax) this.#destinations.clear();
    const bytes = Buffer.from(key);
    const destination = { key: bytes, partition: partitionHash(bytes) };
    this.#destinations.set(key, destination);
    return destination;
  }

  /** Names are constants of the code, so their number is bounded. */
  #headerName(name: string): Buffer {
    const known = this.#headerNames.get(name);
    if (known) return known;
    const bytes = Buffer.from(name);
    this.#headerNames.set(name, bytes);
    return bytes;
  }

  #isBelow(share: number): boolean {
    const { records, bytes } = this.buffered();
    return records <= bufferRecordsMax * share && bytes <= bufferBytesMax * share;
  }

  #wakeWaiters(): void {
    for (const wake of this.#roomWaiters) wake();
    this.#roomWaiters = [];
  }

  #reportFailure(error: Error): void {
    this.#options.onRetry(`cannot write to ${this.#servers}: ${describe(error)}`);
  }
}

function recordBytes({ value, headers }: ProducerRecord): number {
  return value.length + headers.length * headerBytesOverhead + recordBytesOverhead;
}

/** The innermost messages say what happened, the outer ones how often. At most three: each retry adds one. */
function describe(error: Error): string {
  const causes = error.cause instanceof Error ? [error.cause] : [];
  const inner = error instanceof AggregateError ? (error.errors as Error[]) : causes;
  if (inner.length === 0) return error.message;
  return [...new Set(inner.map(describe))].slice(-3).join('; ');
}
