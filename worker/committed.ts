// Reads one topic's partitions up to their end, and gives the records of a transaction once it is committed.
//
// Not by the broker's isolation level read_committed: that ends before the oldest open transaction of the partition,
// whosever it is, so that one stuck writer would hide from a new owner what its predecessor had committed long before.
// The markers in the log say the same, transaction by transaction. https://kafka.apache.org/documentation/#semantics
import {
  type Base,
  type Broker,
  type Connection,
  fetchV11,
  listOffsetsV5,
  type RecordsBatch,
  ResponseError,
} from '@platformatic/kafka';
import { type ClientOptions, createClient, explained } from './producer/client.ts';
import { describeCode, describeError, describeSilence } from './producer/failures.ts';

/** Of one answer; some 20,000 trades, or 50,000 cursors. */
const fetchBytesMax = 4 * 1024 * 1024;

/** Of all open transactions of a partition together; one of a worker holds some thousand. */
const openRecordsMax = 500_000;

/** Batches of transactions, and batches that hold a marker. https://kafka.apache.org/documentation/#recordbatch */
const transactionalBit = 0x10;
const controlBit = 0x20;
/** A marker's key: version and type, 0 abort, 1 commit. https://kafka.apache.org/documentation/#controlbatch */
const typeOffset = 2;
const commitType = 1;

const earliest = -2n;
const latest = -1n;
const readUncommitted = 0;
const outOfRange = 1;
const unknownTopic = 3;

export interface CommittedRecord {
  offset: bigint;
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly (readonly [Buffer | null, Buffer | null])[];
}

/** Holds the records of each transaction back until its marker. Pure; batches come in the log's order. */
export class CommittedFilter {
  /** By producer id, of which a partition has one transaction at a time. */
  readonly #open = new Map<bigint, CommittedRecord[]>();
  #openRecords = 0;

  /**
   * @param from records before this offset are left out: an answer begins with a whole batch
   * @returns what is committed now: outside of a transaction at once, else all of it where its marker stands
   * @throws Error when more is open than any sane writer leaves open
   */
  take(batch: RecordsBatch, from: bigint): CommittedRecord[] {
    const { attributes, producerId } = batch;
    if (attributes & controlBit) {
      // Compaction leaves empty batches of markers whose transaction is gone.
      const type = batch.records[0]?.key?.readInt16BE(typeOffset);
      const ended = type === undefined ? [] : (this.#open.get(producerId) ?? []);
      if (type !== undefined) this.#open.delete(producerId);
      this.#openRecords -= ended.length;
      return type === commitType ? ended : [];
    }
    const records = recordsOf(batch).filter(({ offset }) => offset >= from);
    if (!(attributes & transactionalBit)) return records;
    const open = this.#open.get(producerId) ?? [];
    for (const record of records) open.push(record);
    this.#open.set(producerId, open);
    this.#openRecords += records.length;
    if (this.#openRecords <= openRecordsMax) return [];
    throw new Error(`more than ${openRecordsMax} records of open transactions at offset ${batch.firstOffset}`);
  }
}

function recordsOf({ firstOffset, records }: RecordsBatch): CommittedRecord[] {
  return records.map(({ offsetDelta, key, value, headers }) => {
    return { offset: firstOffset + BigInt(offsetDelta), key, value, headers };
  });
}

/** The log does not go that far, or not that far back: the topic was made anew, or cut. */
export class OffsetError extends Error {}

export interface Answer {
  batches: RecordsBatch[];
  /** Where to go on: behind the last batch, over the holes that compaction leaves. */
  nextOffset: bigint;
  /** Behind the last record that all replicas in sync have, committed or not. */
  endOffset: bigint;
}

export interface PartitionReaderOptions extends ClientOptions {
  topic: string;
  /** How to have the topic made, for the message when there is none. */
  remedy: string;
}

/** One request at a time; nothing is repeated, but after a failure the leader is looked up again. */
export class PartitionReader {
  readonly #options: PartitionReaderOptions;
  readonly #servers: string;
  readonly #client: Base;
  /** By partition; empty until the broker has told. */
  #leaders: (Broker | undefined)[] = [];

  constructor(options: PartitionReaderOptions) {
    this.#options = options;
    this.#servers = options.bootstrapServers.join(',');
    this.#client = createClient(options);
  }

  /** @throws Error in one sentence, as all of these do */
  async partitions(): Promise<number> {
    await this.#learn();
    return this.#leaders.length;
  }

  async startOffset(partition: number): Promise<bigint> {
    return this.#offset(partition, earliest);
  }

  /** Behind the last record, committed or not. */
  async endOffset(partition: number): Promise<bigint> {
    return this.#offset(partition, latest);
  }

  /**
   * Waits for records for so many milliseconds.
   * @throws OffsetError
   */
  async fetch(partition: number, from: bigint, waitMs: number): Promise<Answer> {
    const position = { partition, currentLeaderEpoch: -1, fetchOffset: from, lastFetchedEpoch: -1 };
    const topics = [{ topicId: this.#options.topic, partitions: [{ ...position, partitionMaxBytes: fetchBytesMax }] }];
    const answer = await this.#ask(partition, (connection) =>
      fetchV11.api.async(connection, waitMs, 1, fetchBytesMax, readUncommitted, 0, -1, topics, [], ''),
    );
    const [told] = answer.responses[0]?.partitions ?? [];
    if (told === undefined) throw new Error(`the broker's answer leaves ${this.#nameOf(partition)} out`);
    const batches = told.records ?? [];
    const last = batches.at(-1);
    const nextOffset = last === undefined ? from : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
    return { batches, nextOffset, endOffset: told.highWatermark };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #offset(partition: number, timestamp: bigint): Promise<bigint> {
    const position = { partitionIndex: partition, currentLeaderEpoch: -1, timestamp };
    const topics = [{ name: this.#options.topic, partitions: [position] }];
    const answer = await this.#ask(partition, (connection) =>
      listOffsetsV5.api.async(connection, -1, readUncommitted, topics),
    );
    const offset = answer.topics[0]?.partitions[0]?.offset;
    if (offset === undefined) throw new Error(`the broker's answer leaves ${this.#nameOf(partition)} out`);
    return offset;
  }

  async #ask<T>(partition: number, request: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#leaders.length === 0) await this.#learn();
    const leader = this.#leaders[partition];
    try {
      if (leader === undefined) throw new Error(`${this.#nameOf(partition)} has no leader`);
      return await request(await this.#client.connections.get(leader));
    } catch (error) {
      this.#leaders = [];
      throw this.#failure(partition, error as Error);
    }
  }

  async #learn(): Promise<void> {
    const { topic } = this.#options;
    try {
      const { brokers, topics } = await this.#client.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      this.#leaders = (topics.get(topic)?.partitions ?? []).map(({ leader }) => brokers.get(leader));
    } catch (error) {
      // The client has no code of its own for it: only this sentence.
      if (/^Unknown topic/.test((error as Error).message)) throw this.#missing(error as Error);
      throw new Error(describeSilence(this.#servers, topic, explained(this.#client, error as Error)), { cause: error });
    }
  }

  #failure(partition: number, error: Error): Error {
    const code = error instanceof ResponseError ? (error.errors[0] as { apiCode?: number } | undefined)?.apiCode : null;
    const place = this.#nameOf(partition);
    if (code === outOfRange) return new OffsetError(`${place} was cut or made anew`, { cause: error });
    if (code === unknownTopic) return this.#missing(error);
    if (typeof code === 'number') return new Error(`${place}: ${describeCode(code)}`, { cause: error });
    return new Error(`${place}: ${describeError(error)}`, { cause: error });
  }

  #missing(cause: Error): Error {
    const { topic, remedy } = this.#options;
    return new Error(`topic ${topic} does not exist on broker ${this.#servers}; ${remedy}`, { cause });
  }

  #nameOf(partition: number): string {
    return `partition ${partition} of ${this.#options.topic}`;
  }
}
