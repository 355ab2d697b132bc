// A transaction coordinator's state, as far as its clients can tell; ends take effect in model partitions at once.
// The rules are Kafka's: https://github.com/apache/kafka/blob/trunk/transaction-coordinator/src/main/java/org/apache/kafka/coordinator/transaction/TransactionMetadata.java
import { transactionCodes as codes } from '../../../worker/producer/transaction-failures.ts';
import type { ModelPartition } from './model-partition.ts';

interface Identity {
  producerId: bigint;
  epoch: number;
}

interface Transaction extends Identity {
  /** What its present holder had before, so that he may ask again for the next one; -1: nobody may. */
  lastEpoch: number;
  state: 'empty' | 'open' | 'committed' | 'aborted';
  partitions: Set<number>;
}

export class ModelCoordinator {
  /** Called after each transaction that ended. */
  onEnd: () => void = () => {};
  readonly #partitions: readonly ModelPartition[];
  readonly #transactions = new Map<string, Transaction>();
  #producers = 0n;

  constructor(partitions: readonly ModelPartition[]) {
    this.#partitions = partitions;
  }

  /** InitProducerId; `present` is -1 and -1 of one that takes the id. */
  init(id: string, present: Identity): Identity & { code: number } {
    const known = this.#transactions.get(id);
    const isClaim = present.producerId === -1n;
    if (known === undefined) {
      const lastEpoch = -1;
      const created = { producerId: ++this.#producers, epoch: 0, lastEpoch, state: 'empty', partitions: new Set() };
      this.#transactions.set(id, created as Transaction);
      return { ...created, code: 0 };
    }
    const refused = { producerId: -1n, epoch: -1 };
    if (!isClaim && present.producerId !== known.producerId) return { ...refused, code: codes.invalidProducerEpoch };
    if (known.state === 'open') {
      this.#abortAndFence(known);
      return { ...refused, code: codes.concurrentTransactions };
    }
    if (isClaim) Object.assign(known, { lastEpoch: -1, epoch: known.epoch + 1, state: 'empty' });
    else if (present.epoch === known.epoch) {
      Object.assign(known, { lastEpoch: known.epoch, epoch: known.epoch + 1, state: 'empty' });
    } else if (present.epoch !== known.lastEpoch) return { ...refused, code: codes.invalidProducerEpoch };
    return { ...known, code: 0 };
  }

  /** AddPartitionsToTxn */
  add(id: string, producer: Identity, partitions: readonly number[]): number {
    const known = this.#of(id, producer);
    if (typeof known === 'number') return known;
    if (known.state !== 'open') Object.assign(known, { state: 'open', partitions: new Set() });
    for (const partition of partitions) known.partitions.add(partition);
    return 0;
  }

  /** EndTxn */
  end(id: string, producer: Identity, isCommit: boolean): number {
    const known = this.#of(id, producer);
    if (typeof known === 'number') return known;
    const state = isCommit ? 'committed' : 'aborted';
    if (known.state === 'open') this.#end(known, state);
    return known.state === state ? 0 : codes.invalidTransactionState;
  }

  /** Whether this producer may write to the partition, which a broker asks before it appends. */
  isOpen({ producerId, epoch }: Identity, partition: number): boolean {
    return [...this.#transactions.values()].some(
      (known) =>
        known.producerId === producerId &&
        known.epoch === epoch &&
        known.state === 'open' &&
        known.partitions.has(partition),
    );
  }

  /** The time of every open transaction is up. */
  timeOut(): void {
    for (const known of this.#transactions.values()) if (known.state === 'open') this.#abortAndFence(known);
  }

  /** Another takes the id, and aborts what is open. */
  takeOver(id: string): void {
    const nobody = { producerId: -1n, epoch: -1 };
    while (this.init(id, nobody).code !== 0);
  }

  #of(id: string, { producerId, epoch }: Identity): Transaction | number {
    const known = this.#transactions.get(id);
    if (known?.producerId !== producerId) return codes.invalidProducerIdMapping;
    return known.epoch === epoch ? known : codes.producerFenced;
  }

  #abortAndFence(known: Transaction): void {
    known.epoch++;
    known.lastEpoch = -1;
    this.#end(known, 'aborted');
  }

  #end(known: Transaction, state: 'committed' | 'aborted'): void {
    known.state = state;
    for (const partition of known.partitions) {
      this.#partitions[partition]?.end(known.producerId, known.epoch, state === 'committed');
    }
    this.onEnd();
  }
}
