// The transaction coordinator of one transactional id: finds it, follows it when it moves, and repeats what is not
// answered. What may have been done without our knowing makes the next transaction begin with a greater epoch.
import type { Base, Broker, Connection } from '@platformatic/kafka';
import type { BackoffLimits } from '../../runtime/backoff.ts';
import { explained } from './client.ts';
import { describeCode, describeError, describeSilence } from './failures.ts';
import {
  type Meaning,
  meaningOf,
  remedyFor,
  TransactionError,
  type TransactionRequest,
} from './transaction-failures.ts';
import {
  addPartitions,
  endTransaction,
  findCoordinator,
  initProducerId,
  type Partitions,
  type ProducerIdentity,
  transactionApis,
} from './transaction-requests.ts';

/**
 * After so long the coordinator aborts an open transaction by itself, and the producer is fenced: until then, readers
 * of committed records wait for a worker that died. A worker that is alive ends each of its own within half of it.
 * Brokers allow 15 minutes by default (transaction.max.timeout.ms).
 */
export const transactionTimeoutMs = 60_000;

/** The coordinator completes most transactions within 5 ms of their commit. */
export const busyLimits: BackoffLimits = { delayMsBase: 2, delayMsMax: 50 };

/** Some 5 s; a few times in a row is usual, and no news. */
const busyReportEvery = 100;

export interface CoordinatorOptions {
  client: Base;
  transactionalId: string;
  onRetry: (why: string) => void;
  /** Waits before the attempt after so many failures. Throws when there is to be none. */
  rest: (failures: number, limits: BackoffLimits | null) => Promise<void>;
}

export class Coordinator {
  readonly #options: CoordinatorOptions;
  #broker: Broker | null = null;
  #searches = 0;
  #isUnsure = false;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /**
   * Whether a request may still arrive that was given up: under the present epoch it could end or open a transaction
   * of ours, under a greater one it is refused.
   */
  isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Takes the transactional id, aborts what is open under it, and fences who had it. */
  async claim(): Promise<ProducerIdentity> {
    return this.#init(null);
  }

  /** Aborts what is open, and asks for the next epoch, which fences nobody else. */
  async nextEpoch(present: ProducerIdentity): Promise<ProducerIdentity> {
    try {
      await this.end(present, false);
    } catch (error) {
      // There was none to abort, or the coordinator knows of a greater epoch: the next answer tells which.
      if (!(error instanceof TransactionError) || error.meaning !== 'abort') throw error;
    }
    return this.#init(present);
  }

  async add(producer: ProducerIdentity, partitions: Partitions): Promise<void> {
    const { transactionalId } = this.#options;
    await this.#ask('add partitions', (connection) => addPartitions(connection, transactionalId, producer, partitions));
  }

  /** Repeated until the coordinator answers: then it is committed, or not. */
  async end(producer: ProducerIdentity, isCommit: boolean): Promise<void> {
    const { transactionalId } = this.#options;
    let attempts = 0;
    try {
      await this.#ask('end', (connection) => {
        attempts++;
        return endTransaction(connection, transactionalId, producer, isCommit);
      });
    } catch (error) {
      // An earlier attempt may have committed it. To write it again could double it; whoever claims next will see.
      const isUnknown = isCommit && attempts > 1 && error instanceof TransactionError && error.meaning === 'abort';
      if (isUnknown) throw new TransactionError('fenced', `the outcome of a commit is not known (${error.message})`);
      throw error;
    }
  }

  async #init(present: ProducerIdentity | null): Promise<ProducerIdentity> {
    const { transactionalId } = this.#options;
    const { producerId, epoch } = await this.#ask('init producer id', (connection) =>
      initProducerId(connection, transactionalId, transactionTimeoutMs, present),
    );
    this.#isUnsure = false;
    return { producerId, epoch };
  }

  async #ask<Answer extends { codes: number[] }>(
    request: TransactionRequest,
    send: (connection: Connection) => Promise<Answer>,
  ): Promise<Answer> {
    for (let failures = 1; ; failures++) {
      const answer = await this.#attempt(request, send);
      if (answer !== null && answer.meaning === 'done') return answer.value;
      const isBusy = answer?.meaning === 'busy';
      if (!isBusy) this.#broker = null;
      if (answer !== null && (!isBusy || failures % busyReportEvery === 0)) this.#options.onRetry(answer.why);
      await this.#options.rest(failures, isBusy ? busyLimits : null);
    }
  }

  /** @returns null: not answered, which was reported */
  async #attempt<Answer extends { codes: number[] }>(
    request: TransactionRequest,
    send: (connection: Connection) => Promise<Answer>,
  ): Promise<{ meaning: Meaning; value: Answer; why: string } | null> {
    let isSent = false;
    try {
      const connection = await this.#connect();
      isSent = true;
      const value = await send(connection);
      return { ...this.#judge(request, value.codes), value };
    } catch (error) {
      if (error instanceof TransactionError) throw error;
      if (isSent) this.#isUnsure = true;
      this.#options.onRetry(`transaction, ${request}: ${describeError(error as Error)}`);
      return null;
    }
  }

  async #connect(): Promise<Connection> {
    const { client, transactionalId } = this.#options;
    if (this.#broker === null) {
      const known = [...(await client.metadata({ topics: [], retries: 0 })).brokers.values()];
      // Any of them knows; each time another one, because one that is paused still takes connections.
      const first = this.#searches++ % known.length;
      const order = [...known.slice(first), ...known.slice(0, first)];
      const connection = await client.connections.getFirstAvailable(order);
      const { codes, host, port } = await findCoordinator(connection, transactionalId);
      const { meaning, why } = this.#judge('find coordinator', codes);
      if (meaning !== 'done') throw new Error(why);
      this.#broker = { host, port };
    }
    return client.connections.get(this.#broker);
  }

  /**
   * The gravest of the codes; partitions that were not tried because of another one mean nothing.
   * @throws TransactionError when the same request would never succeed
   */
  #judge(request: TransactionRequest, codes: readonly number[]): { meaning: Meaning; why: string } {
    const order: Meaning[] = ['fenced', 'refused', 'abort', 'again', 'busy', 'done'];
    const rank = (code: number) => order.indexOf(meaningOf(request, code));
    const gravest = codes.reduce((gravest, code) => (rank(code) < rank(gravest) ? code : gravest), 0);
    const meaning = meaningOf(request, gravest);
    const remedy = remedyFor(gravest);
    const why = `transaction ${this.#options.transactionalId}, ${request}: ${describeCode(gravest)}`;
    if (meaning === 'fenced' || meaning === 'refused' || meaning === 'abort') {
      throw new TransactionError(meaning, remedy === null ? why : `${why}; ${remedy}`);
    }
    return { meaning, why };
  }
}

/**
 * Versions that the broker does not speak make it close the connection, which says nothing.
 * @throws Error in one sentence
 */
export async function checkTransactions(client: Base, servers: string): Promise<void> {
  const spoken = await client.listApis().catch((error: Error) => {
    throw new Error(describeSilence(servers, null, explained(client, error)), { cause: error });
  });
  for (const { key, version } of Object.values(transactionApis)) {
    const api = spoken.find(({ apiKey }) => apiKey === key);
    if (api !== undefined && version >= api.minVersion && version <= api.maxVersion) continue;
    const what = `broker ${servers} does not support transactions (API ${key}, version ${version})`;
    throw new Error(`${what}; Kafka from 2.5 and Redpanda from 22.3 do, or set delivery: AtLeastOnce`);
  }
}
