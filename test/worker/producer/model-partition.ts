// One partition of a broker, as far as its producers can tell: its log, and what it knows of each producer.
// The rules are Kafka's: https://github.com/apache/kafka/blob/trunk/storage/src/main/java/org/apache/kafka/storage/internals/log/ProducerAppendInfo.java
import { Reader, readRecordsBatch } from '@platformatic/kafka';
import { codes } from '../../../worker/producer/partition-queue.ts';

/** A repeat of one of so many last batches is known as such. */
const batchesRemembered = 5;

interface ProducerState {
  epoch: number;
  batches: { first: number; last: number }[];
}

export class ModelPartition {
  /** Values as text, in order. */
  readonly log: string[] = [];
  /** The same records, with what became of their transaction. */
  readonly #records: { value: string; producerId: bigint; state: 'open' | 'committed' | 'aborted' }[] = [];
  /** Of a batch. */
  bytesMax = Number.POSITIVE_INFINITY;
  readonly #producers = new Map<bigint, ProducerState>();

  /** Whether the batch is one of those that a broker looks through for a repeat. */
  holds(bytes: Buffer): boolean {
    const { producerId, producerEpoch, firstSequence: first, records } = readRecordsBatch(Reader.from(bytes));
    const last = (first + records.length - 1) % 2 ** 31;
    const known = this.#producers.get(producerId);
    return (
      known?.epoch === producerEpoch && known.batches.some((batch) => batch.first === first && batch.last === last)
    );
  }

  /** @returns the error code */
  append(bytes: Buffer): number {
    const batch = readRecordsBatch(Reader.from(bytes));
    const { producerId, producerEpoch: epoch, firstSequence: first, records } = batch;
    const last = (first + records.length - 1) % 2 ** 31;
    const known = this.#producers.get(producerId);
    if (this.holds(bytes)) return codes.none;
    if (bytes.length > this.bytesMax) return codes.messageTooLarge;
    if (known && epoch < known.epoch) return codes.invalidProducerEpoch;
    const lastKnown = known?.epoch === epoch ? known.batches.at(-1)?.last : undefined;
    const expected = lastKnown === undefined ? 0 : (lastKnown + 1) % 2 ** 31;
    // Of a producer that it does not know, it takes any sequence.
    if (known && first !== expected) return codes.outOfOrderSequence;
    const earlier = known?.epoch === epoch ? known.batches : [];
    const batches = [...earlier, { first, last }].slice(-batchesRemembered);
    this.#producers.set(producerId, { epoch, batches });
    for (const { value } of records) {
      const state = isTransactional(batch) ? 'open' : 'committed';
      this.log.push(String(value));
      this.#records.push({ value: String(value), producerId, state });
    }
    return codes.none;
  }

  /** The marker of a transaction's end. */
  end(producerId: bigint, epoch: number, isCommit: boolean): void {
    for (const record of this.#records) {
      if (record.producerId === producerId && record.state === 'open') {
        record.state = isCommit ? 'committed' : 'aborted';
      }
    }
    const known = this.#producers.get(producerId);
    if (known && epoch > known.epoch) this.#producers.set(producerId, { epoch, batches: [] });
  }

  /** What a consumer reads with isolation.level=read_committed: up to the first record of an open transaction. */
  committed(): string[] {
    const open = this.#records.findIndex(({ state }) => state === 'open');
    const ended = open === -1 ? this.#records : this.#records.slice(0, open);
    return ended.filter(({ state }) => state === 'committed').map(({ value }) => value);
  }

  /** Somebody has claimed a greater epoch of every producer known. */
  raiseEpochs(): void {
    for (const state of this.#producers.values()) Object.assign(state, { epoch: state.epoch + 1, batches: [] });
  }

  /** Its log does not end with the producer's last batch, as far as it knows: it refuses all of this epoch. */
  mistakesSequence(bytes: Buffer): void {
    const { producerId, producerEpoch: epoch } = readRecordsBatch(Reader.from(bytes));
    this.#producers.set(producerId, { epoch, batches: [{ first: 2 ** 30, last: 2 ** 30 }] });
  }

  /** As a follower that had not everything and became the leader all the same. */
  losesLast(): void {
    for (const [id, { epoch, batches }] of this.#producers) {
      const lost = batches.pop();
      if (lost) this.log.length -= lost.last - lost.first + 1;
      if (batches.length === 0) this.#producers.delete(id);
      else this.#producers.set(id, { epoch, batches });
    }
  }
}

const transactionalAttribute = 0x10;

export const isTransactional = ({ attributes }: { attributes: number }) => (attributes & transactionalAttribute) !== 0;
