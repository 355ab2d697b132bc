// What one partition is to receive, and which numbers its batches carry so that the broker misses and doubles nothing.
// No clock, no network: bytes out, error codes in.
//
// At most one batch is under way. It is sent with the same bytes again until the broker answers for it; the next one
// starts after that. So an answer is always about the last batch, and nothing later can be in the log before it.
import type { ProducerRecord } from './producer.ts';
import { type BatchIdentity, batchBytesMax, encodeRecordBatch, recordBytesMax, type Writer } from './record-batch.ts';

/** One batch, counted as the most that it may take; the broker's default message.max.bytes is 1 MiB. */
export const partitionBatchBytesMax = 1_000_000;

const epochMax = 2 ** 15 - 1;
/** Sequences are signed 32-bit numbers and begin again at 0. */
const sequenceCount = 2 ** 31;

/** https://kafka.apache.org/protocol#protocol_error_codes */
export const codes = {
  none: 0,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  unknownProducerId: 59,
} as const;

export interface Settled {
  /** In order; empty when the batch is to be sent again. */
  delivered: readonly ProducerRecord[];
  /** The broker does not take this producer id any more. */
  isProducerIdRefused: boolean;
}

interface Batch {
  records: readonly ProducerRecord[];
  /** At least what its bytes take. */
  bytesMax: number;
  /** Null until it is sent, and when it must be sent under other numbers. */
  bytes: Buffer | null;
}

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Attempts in a row that did not succeed; kept by the producer. */
  failures = 0;
  #waiting: ProducerRecord[] = [];
  #batch: Batch | null = null;
  /** Of the batch under way, or else of the next one; null: the writer's that is given. */
  #identity: BatchIdentity | null = null;
  #bytesMax = partitionBatchBytesMax;
  /** One batch at a time is encoded, so its memory is used again. */
  #memory = Buffer.alloc(0);

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** For messages. */
  get name(): string {
    return `partition ${this.partition} of ${this.topic}`;
  }

  add(record: ProducerRecord): void {
    this.#waiting.push(record);
  }

  isEmpty(): boolean {
    return this.#batch === null && this.#waiting.length === 0;
  }

  /**
   * The bytes to send now: the batch that is not answered for, or else a new one. Not to be called when empty.
   * @param writer taken when this partition has none yet, or the broker refused it
   * @param bytesMax of a new batch; one record is always taken
   */
  send(writer: Writer, bytesMax: number): Buffer {
    this.#batch ??= this.#take(Math.min(bytesMax, this.#bytesMax));
    this.#identity ??= { ...writer, sequence: 0 };
    this.#batch.bytes ??= this.#encode(this.#batch, this.#identity);
    return this.#batch.bytes;
  }

  /** @param errorCode the broker's answer for what send() gave */
  settle(errorCode: number): Settled {
    const { records } = this.#sent();
    switch (errorCode) {
      case codes.none:
      case codes.duplicateSequence:
        return { delivered: this.#delivered(), isProducerIdRefused: false };
      case codes.messageTooLarge:
      case codes.recordListTooLarge:
        if (records.length > 1) this.#split();
        break;
      case codes.outOfOrderSequence:
      case codes.unknownProducerId:
        return { delivered: [], isProducerIdRefused: this.#nextEpoch() };
      case codes.invalidProducerEpoch:
        return { delivered: [], isProducerIdRefused: this.#renumber(null) };
    }
    return { delivered: [], isProducerIdRefused: false };
  }

  #delivered(): readonly ProducerRecord[] {
    const { records, identity } = this.#sent();
    this.#identity = { ...identity, sequence: (identity.sequence + records.length) % sequenceCount };
    this.#batch = null;
    return records;
  }

  /** A refused batch is not in the log, so a part of it may carry its sequence. */
  #split(): void {
    const { records } = this.#sent();
    const half = Math.ceil(records.length / 2);
    this.#waiting = records.slice(half).concat(this.#waiting);
    this.#batch = newBatch(records.slice(0, half));
    // The topic allows less than the default: smaller ones from now on.
    this.#bytesMax = Math.min(this.#bytesMax, this.#batch.bytesMax);
  }

  /**
   * The broker's log does not end with the batch before this one: it lost some of it, or has forgotten the producer. It
   * looks for repeats before it says so, hence this batch is not in it either, and goes out again. A greater epoch of
   * the same producer, rather than a new one, makes it refuse what an earlier connection still holds.
   */
  #nextEpoch(): boolean {
    const { identity } = this.#sent();
    const { epoch } = identity;
    return this.#renumber(epoch < epochMax ? { ...identity, epoch: epoch + 1, sequence: 0 } : null);
  }

  /** @returns whether it needs another producer id */
  #renumber(identity: BatchIdentity | null): boolean {
    this.#batch = newBatch(this.#sent().records);
    this.#identity = identity;
    return identity === null;
  }

  #sent(): { records: readonly ProducerRecord[]; identity: BatchIdentity } {
    if (this.#batch === null || this.#identity === null) throw new Error('an answer without a batch under way');
    return { records: this.#batch.records, identity: this.#identity };
  }

  #take(bytesMax: number): Batch {
    let taken = batchBytesMax([]);
    let count = 0;
    for (const record of this.#waiting) {
      const bytes = recordBytesMax(record);
      if (count > 0 && taken + bytes > bytesMax) break;
      taken += bytes;
      count++;
    }
    return { records: this.#waiting.splice(0, count), bytesMax: taken, bytes: null };
  }

  #encode({ records, bytesMax }: Batch, identity: BatchIdentity): Buffer {
    const { length } = this.#memory;
    if (length < bytesMax)
      this.#memory = Buffer.allocUnsafeSlow(Math.max(bytesMax, Math.min(2 * length, this.#bytesMax)));
    return encodeRecordBatch(records, identity, this.#memory);
  }
}

const newBatch = (records: readonly ProducerRecord[]): Batch => {
  return { records, bytesMax: batchBytesMax(records), bytes: null };
};
