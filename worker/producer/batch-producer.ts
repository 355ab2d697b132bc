// The producer: idempotent, acks=all, own record batches on the connections and metadata of @platformatic/kafka.
// Each broker has one request under way, with a batch for each of its partitions that has something to write. What
// comes meanwhile makes the next one: batches grow with the load, and nothing waits when there is none.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Base, Broker } from '@platformatic/kafka';
import { backoffDelayMs } from '../../runtime/backoff.ts';
import { answeredRecordsMax, answerMsMax, bufferBytesMax, bufferRecordsMax, recordBytes, Waiters } from './buffer.ts';
import { type ClientOptions, createClient, metadataAgeMsMax, requestBytesMax, retryLimits } from './client.ts';
import { describeCode, describeError } from './failures.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { type ProduceAnswer, produce, requestProducerId } from './produce.ts';
import type { Producer, ProducerEvents, ProducerRecord } from './producer.ts';
import type { Writer } from './record-batch.ts';
import { Topics } from './topics.ts';

export interface BatchProducerOptions extends ProducerEvents, ClientOptions {
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
  /** Of them, those whose answer takes long. */
  readonly #late = new Set<string>();
  readonly #closing = new AbortController();
  readonly #refreshTimer: NodeJS.Timeout;
  #writer: Writer | null = null;
  /** Until the broker has told of all topics. */
  #refreshing: Promise<void> | null = null;
  #isPumpDue = false;
  #records = 0;
  #bytes = 0;
  readonly #room = new Waiters();
  readonly #empty = new Waiters();

  constructor(options: BatchProducerOptions) {
    this.#options = options;
    this.#servers = options.bootstrapServers.join(',');
    this.#client = createClient(options);
    this.#topics = new Topics(this.#client);
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
    return this.#isBelow(0.5) ? Promise.resolve() : this.#room.wait();
  }

  buffered(): { records: number; bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  async flush(waitMsMax: number): Promise<number> {
    if (this.#records === 0) return 0;
    await this.#empty.wait(waitMsMax);
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
    await this.#topics.check(topics, this.#servers);
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
        this.#report(`${queue.name} has no leader`);
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
    const late = setTimeout(() => {
      this.#late.add(address);
      this.#wakeIfRoom();
    }, answerMsMax);
    const answer = await this.#produce(leader, queues).catch((error: Error) => {
      this.#report(describeError(error));
      return null;
    });
    clearTimeout(late);
    this.#late.delete(address);
    this.#busy.delete(address);
    for (const queue of queues) {
      if (answer !== null && this.#settle(queue, answer.codeOf(queue))) this.#engaged.delete(queue);
      else this.#rest(queue);
    }
    this.#pumpSoon();
  }

  async #produce(leader: Broker, queues: readonly PartitionQueue[]): Promise<ProduceAnswer> {
    const connection = await this.#client.connections.get(leader);
    this.#writer ??= { producerId: await requestProducerId(connection), epoch: 0, isTransactional: false };
    const writer = this.#writer;
    // Taken only now: until here, the batches could grow.
    const batches = queues.map((queue) => {
      const { topic, partition } = queue;
      return { topic, partition, bytes: queue.send(writer, requestBytesMax / queues.length) };
    });
    return produce(connection, null, batches);
  }

  /** @returns whether the partition's batch was delivered */
  #settle(queue: PartitionQueue, code: number | null): boolean {
    if (code === null) {
      this.#report(`the broker's answer leaves ${queue.name} out`);
      return false;
    }
    const { delivered, isProducerIdRefused } = queue.settle(code);
    if (isProducerIdRefused) this.#writer = null;
    if (delivered.length === 0) {
      this.#report(`${queue.name}: ${describeCode(code)}`);
      return false;
    }
    queue.failures = 0;
    this.#records -= delivered.length;
    for (const record of delivered) this.#bytes -= recordBytes(record);
    this.#options.onDelivered(delivered);
    this.#wakeIfRoom();
    if (this.#records === 0) this.#empty.wake();
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
    const isAnswered = this.#refreshing === null && this.#late.size === 0;
    const recordsMax = isAnswered ? answeredRecordsMax : bufferRecordsMax;
    return this.#records <= recordsMax * share && this.#bytes <= bufferBytesMax * share;
  }

  #wakeIfRoom(): void {
    if (this.#isBelow(0.5)) this.#room.wake();
  }

  #report(why: string): void {
    if (!this.#closing.signal.aborted) this.#options.onRetry(`cannot write to ${this.#servers}: ${why}`);
  }
}
