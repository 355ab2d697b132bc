// What the auditor asks of a broker: partitions, offsets, and committed records from an offset on. It joins no group,
// commits nothing and writes nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { Base, type Connection, listOffsetsV4, type Broker as Node, type Reader, Writer } from '@platformatic/kafka';
import type { KafkaAccess } from '../api/secrets.ts';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import { describeCode, describeError } from '../worker/producer/failures.ts';
import { type AbortedTransaction, committed } from './committed.ts';
import { type KafkaRecord, readBatches, readRecords } from './record-batch.ts';

export interface BrokerOptions {
  bootstrapServers: string[];
  access: KafkaAccess;
  /** A number in [0, 1). */
  random: () => number;
}

export interface Chunk {
  records: KafkaRecord[];
  /** Where to read on. */
  nextOffset: number;
}

/** Of one partition. */
export interface Bounds {
  partition: number;
  startOffset: number;
  /** The last stable offset: no record from here on is committed yet. */
  endOffset: number;
}

/** Version 11 is the newest that both Kafka and older Redpanda speak. https://kafka.apache.org/protocol#The_Messages_Fetch */
const fetchKey = 1;
const fetchVersion = 11;
const readCommitted = 1;

/** https://kafka.apache.org/protocol#The_Messages_ListOffsets: instead of a time. */
const earliest = -2n;
const latest = -1n;

/** What is asked for exists: a broker that has to wait for it is slow. */
const fetchWaitMs = 500;
const requestMsMax = 30_000;

/** Some 8 s: a leader moves, a connection breaks; a broker that is away stays away. */
const attemptsMax = 6;
const retryLimits: BackoffLimits = { delayMsBase: 250, delayMsMax: 8000 };

export class Broker {
  readonly #options: BrokerOptions;
  readonly #client: Base;

  constructor(options: BrokerOptions) {
    this.#options = options;
    const { bootstrapServers } = options;
    const { tls, sasl } = options.access;
    this.#client = new Base({
      clientId: 'k2-audit',
      bootstrapBrokers: bootstrapServers,
      autocreateTopics: false,
      retries: 0,
      requestTimeout: requestMsMax,
      // A certificate is checked against the name that was asked for, which some brokers have to be told.
      ...(tls && { tls, tlsServerName: true }),
      ...(sasl && { sasl }),
    });
    // The pool hears the first error of a connection only; a second one would end the process.
    this.#client.connections.on('connecting', ({ connection }) => connection.on('error', () => {}));
  }

  /** @returns null: there is no such topic @throws Error one sentence: the broker does not answer */
  async bounds(topic: string): Promise<Bounds[] | null> {
    const count = await this.#retry(`topic ${topic} cannot be looked up`, () => this.#partitions(topic));
    if (count === 0) return null;
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const asked = partitions.map(async (partition) => ({
      partition,
      startOffset: (await this.#offset(topic, partition, earliest)) ?? 0,
      endOffset: (await this.#offset(topic, partition, latest)) ?? 0,
    }));
    return Promise.all(asked);
  }

  /** @returns the first offset from which on records may be of this time or later; null: there is none */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<number | null> {
    return this.#offset(topic, partition, BigInt(timeMs));
  }

  /** @returns at least one record, or a step forward; all of it is before `end` */
  async read(topic: string, partition: number, offset: number, end: number, bytesMax: number): Promise<Chunk> {
    const what = `partition ${partition} of ${topic} cannot be read from offset ${offset} on`;
    const { batches, aborted } = await this.#retry(what, async () => {
      const connection = await this.#leader(topic, partition);
      const answer = await fetchRecords(connection, { topic, partition, offset, bytesMax });
      if (answer.code !== 0) throw new Error(describeCode(answer.code));
      const read = readBatches(answer.bytes);
      if (read.length === 0) throw new Error('the broker gives no records, though it has some');
      return { batches: read, aborted: answer.aborted };
    });
    const records = committed(batches, aborted)
      .flatMap(readRecords)
      .filter((record) => record.offset >= offset && record.offset < end);
    const last = batches.at(-1)?.lastOffset ?? offset;
    return { records, nextOffset: last + 1 };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #partitions(topic: string): Promise<number> {
    try {
      const { topics } = await this.#client.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      return topics.get(topic)?.partitions.length ?? 0;
    } catch (error) {
      // The client has no code of its own for it: only this sentence.
      if (/^Unknown topic/.test((error as Error).message)) return 0;
      throw error;
    }
  }

  async #leader(topic: string, partition: number): Promise<Connection> {
    const { brokers, topics } = await this.#client.metadata({ topics: [topic], retries: 0 });
    const node: Node | undefined = brokers.get(topics.get(topic)?.partitions[partition]?.leader ?? -1);
    if (node === undefined) throw new Error('it has no leader');
    return this.#client.connections.get(node);
  }

  #offset(topic: string, partition: number, timestamp: bigint): Promise<number | null> {
    return this.#retry(`the offsets of partition ${partition} of ${topic} cannot be asked for`, async () => {
      const connection = await this.#leader(topic, partition);
      const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }];
      const answer = await listOffsetsV4.api.async(connection, -1, readCommitted, [{ name: topic, partitions }]);
      const offset = answer.topics[0]?.partitions[0]?.offset ?? -1n;
      return offset < 0n ? null : Number(offset);
    });
  }

  async #retry<T>(what: string, operation: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await operation();
      } catch (error) {
        if (failures >= attemptsMax) {
          const servers = this.#options.bootstrapServers.join(',');
          const why = describeError(error as Error);
          throw new Error(`${what} on broker ${servers}, ${attemptsMax} times: ${why}`, { cause: error });
        }
        this.#client.clearMetadata();
        await sleep(backoffDelayMs(failures, retryLimits, this.#options.random()));
      }
    }
  }
}

interface FetchRequest {
  topic: string;
  partition: number;
  offset: number;
  bytesMax: number;
}

interface FetchAnswer {
  /** https://kafka.apache.org/protocol#protocol_error_codes */
  code: number;
  aborted: AbortedTransaction[];
  /** Record batches, the last one perhaps cut off. */
  bytes: Buffer;
}

function fetchRecords(
  connection: Connection,
  { topic, partition, offset, bytesMax }: FetchRequest,
): Promise<FetchAnswer> {
  const createPayload = () => {
    const anyReplica = -1;
    const noSession = [0, -1] as const;
    const bytesMin = 1;
    const writer = Writer.create().appendInt32(anyReplica).appendInt32(fetchWaitMs).appendInt32(bytesMin);
    writer.appendInt32(bytesMax).appendInt8(readCommitted).appendInt32(noSession[0]).appendInt32(noSession[1]);
    // One topic, one partition, whose leader epoch and log start are not known.
    writer.appendInt32(1).appendString(topic, false).appendInt32(1);
    writer.appendInt32(partition).appendInt32(-1).appendInt64(BigInt(offset)).appendInt64(-1n).appendInt32(bytesMax);
    // No topic to forget, no rack.
    return writer.appendInt32(0).appendString('', false);
  };
  return new Promise((resolve, reject) => {
    const parse = (_correlationId: number, _key: number, _version: number, reader: Reader) => readAnswer(reader);
    connection.send(fetchKey, fetchVersion, createPayload, parse, false, false, (error, answer) => {
      if (error || !answer) reject(error ?? new Error('an empty answer'));
      else resolve(answer);
    });
  });
}

function readAnswer(reader: Reader): FetchAnswer {
  // Throttle time.
  reader.skip(4);
  const code = reader.readInt16();
  const none = { aborted: [], bytes: Buffer.alloc(0) };
  // Session.
  reader.skip(4);
  if (code !== 0 || reader.readInt32() === 0) return { code, ...none };
  reader.readString(false);
  // Number of partitions, and which.
  reader.skip(4 + 4);
  const partitionCode = reader.readInt16();
  // High watermark, last stable offset, start of the log.
  reader.skip(3 * 8);
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.readInt32(); count > 0; count--) {
    aborted.push({ producerId: reader.readInt64(), firstOffset: Number(reader.readInt64()) });
  }
  // Which replica to prefer.
  reader.skip(4);
  return { code: partitionCode, aborted, bytes: reader.readNullableBytes(false) ?? Buffer.alloc(0) };
}
