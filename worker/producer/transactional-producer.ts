// The producer whose records are written in transactions, each with what is attached to it: all of it or nothing.
import type { BatchProducerOptions } from './batch-producer.ts';
import type { Producer, ProducerRecord } from './producer.ts';

export interface TransactionalProducerOptions extends BatchProducerOptions {
  /** One writer at a time has it: the last one to claim it. */
  transactionalId: string;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A transaction begins at least this often, even when nothing was appended, so that attach() can tell of life. */
  silenceMsMax: number;
  /**
   * What goes along with everything appended so far: cursors and, when due, the owner record. Called once for each
   * transaction, synchronously with the cut. Where it gives nothing and nothing was appended, there is no transaction.
   */
  attach: () => readonly ProducerRecord[];
  /**
   * Another has taken the id; `why` is one sentence. What was not committed is dropped, and append() takes nothing more
   * until claim(): the new owner has it, or repairs it.
   */
  onFenced: (why: string) => void;
}

export class TransactionalProducer implements Producer {
  constructor(options: TransactionalProducerOptions) {
    void options;
  }

  /**
   * Takes the transactional id: aborts what a predecessor left open and fences it. From now on append() writes.
   * @throws Error in one sentence: no broker, the id is not authorized, transactions are not supported
   */
  claim(): Promise<void> {
    throw new Error('claim');
  }

  /**
   * Fences whoever writes under another id, and aborts what it left open. Writes nothing.
   * @throws Error as claim() does
   */
  fence(transactionalId: string): Promise<void> {
    throw new Error(transactionalId);
  }

  /** Takes a record for the next transaction; without a claim it is dropped. */
  append(record: ProducerRecord): boolean {
    throw new Error(record.topic);
  }

  room(): Promise<void> {
    throw new Error('room');
  }

  /** Records taken and not yet committed, without what was attached. */
  buffered(): { records: number; bytes: number } {
    throw new Error('buffered');
  }

  /**
   * Commits everything appended, and attach() even when nothing was appended, or gives up after so many milliseconds.
   * @returns how many records are not committed
   */
  flush(waitMsMax: number): Promise<number> {
    throw new Error(`${waitMsMax}`);
  }

  close(): Promise<void> {
    throw new Error('close');
  }

  /** @throws Error in one sentence: which topic is missing, or why the broker does not answer */
  checkTopics(topics: string[]): Promise<void> {
    throw new Error(topics.join());
  }
}
