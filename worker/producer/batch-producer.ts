// The producer: idempotent, acks=all, own record batches on the connections and metadata of @platformatic/kafka.
// Each broker has one request under way, with a batch for each of its partitions that has something to write. What
// comes meanwhile makes the next one: batches grow with the load, and nothing waits when there is none.
import { setTimeout as sleep } from 'node:timers/promises';
import { Base, type Broker } from '@platformatic/kafka';
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { describeCode, describeError } from './failures.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { type ProduceAnswer, produce, requestProducerId } from './produce.ts';
import type { Producer, ProducerEvents, ProducerRecord } from './producer.ts';
import { Topics } from './topics.ts';

/** About 50,000 trades with their frames: five minutes of a broker's absence at the 168 trades/s of a usual feed. */
export const bufferBytesMax = 32 * 1024 * 1024;
export const bufferRecordsMax = 100_000;

/**
 * While the broker answers: what is read in some 20 ms at full speed. More brings no speed, but what waits outlives
 * collections of garbage, and these then take half of the CPU; docs/decisions/0007-fast-producer.md has the figures.
 */
export const answeredRecordsMax = 2000;

/** A record's share of objects and framing, so that many small records count for what they take. */
const recordBytesOverhead = 150;
const headerBytesOverhead = 40;

/** Shared by the batches of one request. A broker takes 100 MiB by default; memory and time-outs want less. */
const requestBytesMax = 4_000_000;

/** Forever at the longest delay: the buffer is bounded, and a record must not be dropped. */
const retryLimits: BackoffLimits = { delayMsBase: 100, delayMsMax: 5000 };

/** New partitions are found after this time. */
const metadataAgeMsMax = 60_000;

/** A broker that neither answers nor closes is told after this time, and asked again over a new connection. */
const requestMsMax = 10_000;

export interface BatchProducerOptions extends ProducerEvents {
  bootstrapServers: string[];
  clientId: string;
  /** A number in [0, 1). */
  random: () => number;
}

export class BatchProducer implements Producer {
  readonly #options: BatchProducerOptions;
  readonly #servers: string;
  readonly #client: Base;
  readonly #topics: Topics;
  /** Being sent, or waiting for their next attempt. */
  readonly #engaged = new Set<PartitionQueue>();
  /** Addresses with a request under way. */
  readonly #busy = new Set<string>();
  readonly #closing = new AbortController();
  readonly #refreshTimer: NodeJS.Timeout;
  #producerId: bigint | null = null;
  /** Until the broker has told of all topics. */
  #refreshing: Promise<void> | null = null;
  #isPumpDue = false;
  #records = 0;
  #bytes = 0;
  #roomWaiters: (() => void)[] = [];
  #flushWaiters: (() => void)[] = [];

  constructor(options: BatchProducerOptions) {
    this.#options = options;
    this.#servers = options.bootstrapServers.join(',');
    this.#client = new Base({
      clientId: options.clientId,
      bootstrapBrokers: options.bootstrapServers,
      autocreateTopics: false,
      retries: 0,
      requestTimeout: requestMsMax,
    });
    this.#topics = new Topics(this.#client);
    // The pool hears the first error of a connection only; a second one would end the process.
    this.#client.connections.on('connecting', ({ connection }) => connection.on('error', () => {}));
    this.#refreshTimer = setInterval(() => this.#refresh(), metadataAgeMsMax).unref();
  }

  append(record: ProducerRecord): boolean {
    this.#records++;
    this.#bytes += recordBytes(record);
    this.#topics.add(record);
    this.#pumpSoon();
    return this.#isBelow(1);
  }

  room(): Promise<void> {
    return this.#isBelow(0.5) ? Promise.resolve() : new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  buffered(): { records: number; bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  async flush(waitMsMax: number): Promise<number> {
    if (this.#records === 0) return 0;
    const flushed = new AbortController();
    const empty = new Promise<void>((resolve) => this.#flushWaiters.push(resolve));
    await Promise.race([empty, sleep(waitMsMax, undefined, { signal: flushed.signal })]);
    flushed.abort();
    return this.#records;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#refreshTimer);
    await this.#client.close();
  }

  /**
   * Asks the broker for the topics; never creates one.
   * @throws Error in one sentence: which topic is missing, or why the broker does not answer
   */
  async checkTopics(topics: string[]): Promise<void> {
    for (const name of topics) {
      try {
        await this.#topics.learn(name);
      } catch (error) {
        // The client has no code of its own for it: only this sentence.
        if (!/^Unknown topic/.test((error as Error).message)) {
          throw new Error(`broker ${this.#servers} does not answer: ${describeError(error as Error)}`, {
            cause: error,
          });
        }
        const remedy = `the controller makes it, or: rpk topic create ${name}`;
        throw new Error(`topic ${name} does not exist on broker ${this.#servers}; ${remedy}`, { cause: error });
      }
    }
  }

  /** After all that has been read from sockets so far, so that a burst becomes one request. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closing.signal.aborted) return;
    if (this.#topics.areUnknown()) this.#refresh();
    const requests = new Map<string, { leader: Broker; queues: PartitionQueue[] }>();
    for (const { queue, leader } of this.#topics.toWrite()) {
      if (this.#engaged.has(queue)) continue;
      if (leader === undefined) {
        this.#report(`${nameOf(queue)} has no leader`);
        this.#rest(queue);
        continue;
      }
      const address = `${leader.host}:${leader.port}`;
      if (this.#busy.has(address)) continue;
      const request = requests.get(address) ?? { leader, queues: [] };
      request.queues.push(queue);
      requests.set(address, request);
    }
    for (const [address, { leader, queues }] of requests) void this.#send(address, leader, queues);
  }

  async #send(address: string, leader: Broker, queues: readonly PartitionQueue[]): Promise<void> {
    this.#busy.add(address);
    for (const queue of queues) this.#engaged.add(queue);
    const answer = await this.#produce(leader, queues).catch((error: Error) => {
      this.#report(describeError(error));
      return null;
    });
    this.#busy.delete(address);
    for (const queue of queues) {
      if (answer !== null && this.#settle(queue, answer.codeOf(queue))) this.#engaged.delete(queue);
      else this.#rest(queue);
    }
    this.#pumpSoon();
  }

  async #produce(leader: Broker, queues: readonly PartitionQueue[]): Promise<ProduceAnswer> {
    const connection = await this.#client.connections.get(leader);
    this.#producerId ??= await requestProducerId(connection);
    const producerId = this.#producerId;
    // Taken only now: until here, the batches could grow.
    const batches = queues.map((queue) => {
      const { topic, partition } = queue;
      return { topic, partition, bytes: queue.send(producerId, requestBytesMax / queues.length) };
    });
    return produce(connection, batches);
  }

  /** @returns whether the partition's batch was delivered */
  #settle(queue: PartitionQueue, code: number | null): boolean {
    if (code === null) {
      this.#report(`the broker's answer leaves ${nameOf(queue)} out`);
      return false;
    }
    const { delivered, isProducerIdRefused } = queue.settle(code);
    if (isProducerIdRefused) this.#producerId = null;
    if (delivered.length === 0) {
      this.#report(`${nameOf(queue)}: ${describeCode(code)}`);
      return false;
    }
    queue.failures = 0;
    this.#records -= delivered.length;
    for (const record of delivered) this.#bytes -= recordBytes(record);
    this.#options.onDelivered(delivered);
    this.#wakeIfRoom();
    if (this.#records === 0) this.#flushWaiters = wake(this.#flushWaiters);
    return true;
  }

  /** The partition waits for its next attempt; meanwhile its leader is asked for. */
  #rest(queue: PartitionQueue): void {
    this.#refresh();
    this.#engaged.add(queue);
    void this.#sleep(++queue.failures).then(() => {
      this.#engaged.delete(queue);
      this.#pumpSoon();
    });
  }

  #refresh(): void {
    if (this.#refreshing !== null) return;
    this.#refreshing = this.#learnAll().then(() => {
      this.#refreshing = null;
      this.#pumpSoon();
    });
    this.#wakeIfRoom();
  }

  async #learnAll(): Promise<void> {
    for (let failures = 1; !this.#closing.signal.aborted; failures++) {
      try {
        await this.#topics.learnAll();
        return;
      } catch (error) {
        this.#report(describeError(error as Error));
        await this.#sleep(failures);
      }
    }
  }

  /** Until the next attempt, or until the producer is closed. */
  async #sleep(failures: number): Promise<void> {
    const delayMs = backoffDelayMs(failures, retryLimits, this.#options.random());
    const { signal } = this.#closing;
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }

  #isBelow(share: number): boolean {
    const recordsMax = this.#refreshing === null ? answeredRecordsMax : bufferRecordsMax;
    return this.#records <= recordsMax * share && this.#bytes <= bufferBytesMax * share;
  }

  #wakeIfRoom(): void {
    if (this.#isBelow(0.5)) this.#roomWaiters = wake(this.#roomWaiters);
  }

  #report(why: string): void {
    if (!this.#closing.signal.aborted) this.#options.onRetry(`cannot write to ${this.#servers}: ${why}`);
  }
}

const nameOf = ({ topic, partition }: PartitionQueue) => `partition ${partition} of ${topic}`;

function recordBytes({ value, headers }: ProducerRecord): number {
  return value.length + headers.length * headerBytesOverhead + recordBytesOverhead;
}

function wake(waiters: (() => void)[]): [] {
  for (const resume of waiters) resume();
  return [];
}
