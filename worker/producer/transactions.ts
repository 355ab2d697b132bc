// The transactions of one owner of a transactional id, one after the other: each is repeated, under a greater epoch if
// it was aborted, until its records are committed or another has taken the id.
import type { Base } from '@platformatic/kafka';
import type { BackoffLimits } from '../../runtime/backoff.ts';
import { metadataAgeMsMax } from './client.ts';
import { Coordinator, transactionTimeoutMs } from './coordinator.ts';
import { describeError } from './failures.ts';
import type { ProducerRecord } from './producer.ts';
import type { Topics } from './topics.ts';
import { TransactionError } from './transaction-failures.ts';
import type { ProducerIdentity } from './transaction-requests.ts';
import { writeAll } from './transaction-writes.ts';

/** What is not written by then is aborted and begun anew, before the coordinator does so by itself and fences us. */
const writeMsMax = transactionTimeoutMs / 2;

export interface TransactionsOptions {
  client: Base;
  topics: Topics;
  transactionalId: string;
  /** As claimed. */
  identity: ProducerIdentity;
  monotonicMs: () => number;
  onRetry: (why: string) => void;
  /** Waits before the attempt after so many failures; null: as long as is usual. Throws when there is to be none. */
  rest: (failures: number, limits: BackoffLimits | null) => Promise<void>;
}

export class Transactions {
  readonly #options: TransactionsOptions;
  readonly #coordinator: Coordinator;
  #identity: ProducerIdentity;
  #isAborted = false;
  #learnedMs = Number.NEGATIVE_INFINITY;

  constructor(options: TransactionsOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#coordinator = new Coordinator(options);
    options.topics.reset();
  }

  /** @throws TransactionError when another has taken the id: nothing more can be committed */
  async commit(records: readonly ProducerRecord[]): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        await this.#attempt(records);
        return;
      } catch (error) {
        if (!(error instanceof TransactionError) || error.meaning === 'fenced') throw error;
        this.#isAborted = true;
        this.#options.onRetry(error.message);
        // What aborts one transaction seldom aborts the next.
        await this.#options.rest(failures - 1, null);
      }
    }
  }

  async #attempt(records: readonly ProducerRecord[]): Promise<void> {
    if (this.#isAborted || this.#coordinator.isUnsure()) {
      this.#identity = await this.#coordinator.nextEpoch(this.#identity);
      this.#isAborted = false;
      this.#options.topics.reset();
      this.#learnedMs = Number.NEGATIVE_INFINITY;
    }
    const { client, topics, transactionalId, onRetry, rest, monotonicMs } = this.#options;
    const identity = this.#identity;
    for (const record of records) topics.add(record);
    await this.#learnTopics();
    await this.#coordinator.add(identity, topics.partitionsToWrite());
    const openedMs = monotonicMs();
    await writeAll(
      {
        client,
        transactionalId,
        topics,
        onRetry,
        rest: async (failures) => {
          if (monotonicMs() - openedMs > writeMsMax) {
            throw new TransactionError('abort', `not written within ${writeMsMax / 1000} s`);
          }
          await rest(failures, null);
          await this.#learnOnce();
        },
      },
      { ...identity, isTransactional: true },
    );
    await this.#coordinator.end(identity, true);
  }

  /** Until the partitions of all records are known. */
  async #learnTopics(): Promise<void> {
    const { topics, rest, monotonicMs } = this.#options;
    if (monotonicMs() - this.#learnedMs > metadataAgeMsMax) await this.#learnOnce();
    for (let failures = 1; topics.areUnknown(); failures++) {
      await rest(failures, null);
      await this.#learnOnce();
    }
  }

  async #learnOnce(): Promise<void> {
    const { topics, monotonicMs, onRetry } = this.#options;
    this.#learnedMs = monotonicMs();
    await topics.learnAll().catch((error: Error) => onRetry(describeError(error)));
  }
}
