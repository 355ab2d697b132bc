// The producer on @platformatic/kafka: idempotent, acks=all, one request in flight. While it is under way, the next
// batch collects by itself, so batches grow with the load and no latency is spent on waiting when there is none.
import { setTimeout as sleep } from 'node:timers/promises';
import { type MessageToProduce, Producer as PlatformaticProducer } from '@platformatic/kafka';
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { partitionHash } from './partition.ts';
import type { Producer, ProducerEvents, ProducerRecord } from './producer.ts';

/** Buffer limits: at 170-byte frames about 45,000 trades; with a feed's usual 168/s more than four minutes of a broker's absence. */
export const bufferBytesMax = 32 * 1024 * 1024;
export const bufferRecordsMax = 100_000;

/** A record's share of objects and framing, so that many small records count for what they take. */
const recordBytesOverhead = 150;

/** One request; it stays below the broker's default message.max.bytes of 1 MiB even if all of it goes to one partition. */
const batchBytesMax = 512 * 1024;
const batchRecordsMax = 2000;

/** The first record of an idle spell waits this long for company: trades come in bursts within a millisecond or two. */
const lingerMs = 5;

const retryLimits: BackoffLimits = { delayMsBase: 100, delayMsMax: 5000 };

/**
 * Repeats within one send, about ten minutes; they reuse the producer id and sequence, so the broker drops what it already
 * has. The client remembers each error, hence a limit; after it the batch is sent anew, and may be doubled.
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

export interface ConnectableProducer extends Producer {
  /**
   * Asks the broker for the topics; never creates one.
   * @throws Error in one sentence: which topic is missing, or why the broker does not answer
   */
  checkTopics(topics: string[]): Promise<void>;
}

interface Destination {
  key: Buffer;
  partition: number;
}

export function createPlatformaticProducer(options: PlatformaticOptions): ConnectableProducer {
  const servers = options.bootstrapServers.join(',');
  const client = new PlatformaticProducer<Buffer, Buffer, Buffer, Buffer>({
    clientId: options.clientId,
    bootstrapBrokers: options.bootstrapServers,
    idempotent: true,
    autocreateTopics: false,
    retries: retriesMax,
    retryDelay: (_client, _operation, attempt, _retries, error) => {
      reportFailure(error);
      return backoffDelayMs(attempt, retryLimits, options.random());
    },
    metadataMaxAge: metadataAgeMsMax,
    requestTimeout: requestMsMax,
  });

  let waiting: ProducerRecord[] = [];
  let sending: readonly ProducerRecord[] = [];
  let bytes = 0;
  let closed = false;
  let loop: Promise<void> | null = null;
  let roomWaiters: (() => void)[] = [];

  const destinations = new Map<string, Destination>();
  const headerNames = new Map<string, Buffer>();

  function reportFailure(error: Error): void {
    options.onRetry(`cannot write to ${servers}: ${describe(error)}`);
  }

  function destinationOf(key: string): Destination {
    const known = destinations.get(key);
    if (known) return known;
    if (destinations.size >= keysMax) destinations.clear();
    const keyBytes = Buffer.from(key);
    const destination = { key: keyBytes, partition: partitionHash(keyBytes) };
    destinations.set(key, destination);
    return destination;
  }

  function headerName(name: string): Buffer {
    const known = headerNames.get(name) ?? Buffer.from(name);
    headerNames.set(name, known);
    return known;
  }

  function toMessage(record: ProducerRecord): MessageToProduce<Buffer, Buffer, Buffer, Buffer> {
    const { topic, value, timeMs } = record;
    const message = { topic, value, timestamp: BigInt(timeMs) };
    const headers = new Map(record.headers.map(([name, text]) => [headerName(name), Buffer.from(text)]));
    if (record.key === null) return { ...message, headers, partition: 0 };
    const { key, partition } = destinationOf(record.key);
    // The client takes it modulo the topic's number of partitions.
    return { ...message, headers, key, partition };
  }

  function takeBatch(): ProducerRecord[] {
    let batchBytes = 0;
    let count = 0;
    for (const record of waiting) {
      batchBytes += recordBytes(record);
      if (count > 0 && (batchBytes > batchBytesMax || count === batchRecordsMax)) break;
      count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  async function send(batch: readonly ProducerRecord[]): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        await client.send({ messages: batch.map(toMessage) });
        return;
      } catch (error) {
        if (closed) throw error;
        reportFailure(error as Error);
        await sleep(backoffDelayMs(failures, retryLimits, options.random()));
      }
    }
  }

  async function sendAll(): Promise<void> {
    await sleep(lingerMs);
    while (waiting.length > 0 && !closed) {
      sending = takeBatch();
      try {
        await send(sending);
      } catch {
        return;
      }
      const delivered = sending;
      sending = [];
      for (const record of delivered) bytes -= recordBytes(record);
      options.onDelivered(delivered);
      wakeWaiters();
    }
    loop = null;
  }

  const records = () => waiting.length + sending.length;
  const isBelow = (share: number) => records() <= bufferRecordsMax * share && bytes <= bufferBytesMax * share;

  function wakeWaiters(): void {
    if (!isBelow(0.5)) return;
    for (const wake of roomWaiters) wake();
    roomWaiters = [];
  }

  return {
    append(record) {
      waiting.push(record);
      bytes += recordBytes(record);
      loop ??= sendAll();
      return isBelow(1);
    },
    room: () => (isBelow(0.5) ? Promise.resolve() : new Promise((resolve) => roomWaiters.push(resolve))),
    buffered: () => ({ records: records(), bytes }),
    async flush(waitMsMax) {
      const timeout = new AbortController();
      await Promise.race([loop, sleep(waitMsMax, undefined, { signal: timeout.signal })]);
      timeout.abort();
      return records();
    },
    async close() {
      closed = true;
      await client.close(true);
    },
    async checkTopics(topics) {
      for (const topic of topics) await checkTopic(client, topic, servers);
    },
  };
}

function recordBytes({ value, headers }: ProducerRecord): number {
  return value.length + headers.length * 40 + recordBytesOverhead;
}

async function checkTopic(client: PlatformaticProducer, topic: string, servers: string): Promise<void> {
  try {
    await client.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
  } catch (error) {
    // The client has no code of its own for it: only this sentence.
    if (!/^Unknown topic/.test((error as Error).message)) {
      throw new Error(`broker ${servers} does not answer: ${describe(error as Error)}`, { cause: error });
    }
    const remedy = `the controller makes it, or: rpk topic create ${topic}`;
    throw new Error(`topic ${topic} does not exist on broker ${servers}; ${remedy}`, { cause: error });
  }
}

/** The innermost messages say what happened; the outer ones only how often. At most three, because a retry adds more. */
function describe(error: Error): string {
  const inner =
    error instanceof AggregateError ? (error.errors as Error[]) : error.cause instanceof Error ? [error.cause] : [];
  if (inner.length === 0) return error.message;
  return [...new Set(inner.map(describe))].slice(-3).join('; ');
}
