// The producer whose records are written in transactions, each with what is attached to it: all of it or nothing.
// One loop: wait until a transaction is due, cut off what was appended, write it, commit it. Records stay in memory
// until they are committed; a transaction that fails is aborted, and the same records go into the next one.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Base } from '@platformatic/kafka';
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import type { BatchProducerOptions } from './batch-producer.ts';
import { answeredRecordsMax, answerMsMax, bufferBytesMax, bufferRecordsMax, recordBytes, Waiters } from './buffer.ts';
import { createClient, retryLimits } from './client.ts';
import { Coordinator, checkTransactions } from './coordinator.ts';
import { describeError } from './failures.ts';
import type { Producer, ProducerRecord } from './producer.ts';
import { Topics } from './topics.ts';
import type { ProducerIdentity } from './transaction-requests.ts';
import { Transactions } from './transactions.ts';

/**
 * Transactions begin so far apart while records are few: each costs a broker some ten small writes, and us three
 * requests. A reader of committed records sees a record after this time and one commit, at most.
 */
export const lingerMs = 20;

/** So many records do not linger: as many are written and committed while the next ones collect. */
const fullRecords = answeredRecordsMax / 2;

/** A claim takes milliseconds, or some seconds where a coordinator moves; later, whoever wants it looks again. */
const claimMsMax = 15_000;

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
  /** A transaction was committed, also one of nothing but attachments; it took so many milliseconds. */
  onCommitted?: (tookMs: number) => void;
  /** Waits between attempts; a tenth of a second to five seconds, where not given. */
  retry?: BackoffLimits;
}

interface Appended {
  records: ProducerRecord[];
  bytes: number;
}

const nothing = (): Appended => ({ records: [], bytes: 0 });

export class TransactionalProducer implements Producer {
  readonly #options: TransactionalProducerOptions;
  readonly #servers: string;
  readonly #client: Base;
  readonly #topics: Topics;
  readonly #closing = new AbortController();
  #isOwner = false;
  /** Of the next transaction, and of the one being written. */
  #next = nothing();
  #cut = nothing();
  #begunMs = 0;
  /** Whether the last request for a transaction was answered as it should be. */
  #isAnswered = true;
  #isFlushDue = false;
  readonly #changed = new Waiters();
  readonly #room = new Waiters();
  /** For the next commit that begins, and for the present one. */
  #toFlush = new Waiters();
  #flushing = new Waiters();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: TransactionalProducerOptions) {
    this.#options = options;
    this.#servers = options.bootstrapServers.join(',');
    this.#client = createClient(options);
    this.#topics = new Topics(this.#client);
  }

  /**
   * Takes the transactional id: aborts what a predecessor left open and fences it. From now on append() writes.
   * @throws Error in one sentence: no broker, the id is not authorized, transactions are not supported
   */
  async claim(): Promise<void> {
    const { transactionalId, monotonicMs } = this.#options;
    if (this.#isOwner) throw new Error(`${transactionalId} is claimed already`);
    // Of the time before resign(): its last transaction may still be under way.
    await this.#loop;
    await checkTransactions(this.#client, this.#servers);
    const identity = await this.#claim(transactionalId);
    const transactions = new Transactions({
      client: this.#client,
      topics: this.#topics,
      transactionalId,
      identity,
      monotonicMs,
      onRetry: (why) => this.#report(why),
      rest: (failures, limits) => this.#rest(failures, limits),
    });
    this.#isOwner = true;
    this.#isAnswered = true;
    this.#begunMs = monotonicMs();
    this.#loop = this.#write(transactions);
  }

  /** Gives the transactional id up without a word: append() takes nothing more until claim(). To be flushed before. */
  resign(): void {
    this.#isOwner = false;
    this.#next = nothing();
    this.#changed.wake();
    this.#room.wake();
  }

  /**
   * Fences whoever writes under another id, and aborts what it left open. Writes nothing.
   * @throws Error as claim() does
   */
  async fence(transactionalId: string): Promise<void> {
    await this.#claim(transactionalId);
  }

  /** Takes a record for the next transaction; without a claim it is dropped. */
  append(record: ProducerRecord): boolean {
    if (!this.#isOwner) return true;
    const { records } = this.#next;
    const count = records.push(record);
    this.#next.bytes += recordBytes(record);
    if (count === 1 || count === fullRecords) this.#changed.wake();
    return this.#isBelow(1);
  }

  room(): Promise<void> {
    return this.#isBelow(0.5) ? Promise.resolve() : this.#room.wait();
  }

  /** Records taken and not yet committed, without what was attached. */
  buffered(): { records: number; bytes: number } {
    const { records, bytes } = this.#next;
    return { records: records.length + this.#cut.records.length, bytes: bytes + this.#cut.bytes };
  }

  /**
   * Commits everything appended, and attach() even when nothing was appended, or gives up after so many milliseconds.
   * @returns how many records are not committed
   */
  async flush(waitMsMax: number): Promise<number> {
    if (!this.#isOwner) return 0;
    this.#isFlushDue = true;
    this.#changed.wake();
    await this.#toFlush.wait(waitMsMax);
    return this.buffered().records;
  }

  /** What is not committed is left to the coordinator, which aborts it at the next claim or in a minute. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#changed.wake();
    await this.#client.close();
    await this.#loop;
  }

  /** @throws Error in one sentence: which topic is missing, or why the broker does not answer */
  checkTopics(topics: string[]): Promise<void> {
    return this.#topics.check(topics, this.#servers);
  }

  async #claim(transactionalId: string): Promise<ProducerIdentity> {
    const deadlineMs = this.#options.monotonicMs() + claimMsMax;
    let lastWhy = '';
    const onRetry = (why: string) => {
      lastWhy = why;
      this.#report(why);
    };
    const rest = async (failures: number, limits: BackoffLimits | null) => {
      if (this.#options.monotonicMs() > deadlineMs) throw new Error(`cannot claim ${transactionalId}: ${lastWhy}`);
      await this.#rest(failures, limits);
    };
    return new Coordinator({ client: this.#client, transactionalId, onRetry, rest }).claim();
  }

  async #write(transactions: Transactions): Promise<void> {
    const { signal } = this.#closing;
    try {
      for (;;) {
        await this.#due();
        if (signal.aborted || !this.#isOwner) return;
        await this.#commit(transactions);
      }
    } catch (error) {
      if (!signal.aborted) this.#lose(describeError(error as Error));
    }
  }

  /** Resolves when the next transaction is due, and all that has been read from sockets by then was appended. */
  async #due(): Promise<void> {
    for (let waitMs = this.#waitMs(); waitMs > 0; waitMs = this.#waitMs()) await this.#changed.wait(waitMs);
    await setImmediate();
  }

  #waitMs(): number {
    if (this.#isFlushDue || !this.#isOwner || this.#closing.signal.aborted) return 0;
    const { length } = this.#next.records;
    if (length >= fullRecords) return 0;
    const { silenceMsMax, monotonicMs } = this.#options;
    return this.#begunMs + (length > 0 ? lingerMs : silenceMsMax) - monotonicMs();
  }

  async #commit(transactions: Transactions): Promise<void> {
    const { monotonicMs, attach, onDelivered, onCommitted } = this.#options;
    this.#begunMs = monotonicMs();
    this.#isFlushDue = false;
    // What is flushed is in this cut, or was committed before.
    this.#flushing = this.#toFlush;
    this.#toFlush = new Waiters();
    this.#cut = this.#next;
    this.#next = nothing();
    const { records } = this.#cut;
    const all = records.concat(attach());
    if (all.length > 0) {
      const late = setTimeout(() => this.#deepen(), answerMsMax);
      await transactions.commit(all).finally(() => clearTimeout(late));
      onCommitted?.(monotonicMs() - this.#begunMs);
    }
    this.#cut = nothing();
    this.#isAnswered = true;
    if (records.length > 0) onDelivered(records);
    if (this.#isBelow(0.5)) this.#room.wake();
    this.#flushing.wake();
  }

  #lose(why: string): void {
    this.#isOwner = false;
    this.#next = nothing();
    this.#cut = nothing();
    this.#room.wake();
    this.#flushing.wake();
    this.#toFlush.wake();
    this.#options.onFenced(why);
  }

  #isBelow(share: number): boolean {
    const recordsMax = this.#isAnswered ? answeredRecordsMax : bufferRecordsMax;
    const records = this.#next.records.length + this.#cut.records.length;
    return records <= recordsMax * share && this.#next.bytes + this.#cut.bytes <= bufferBytesMax * share;
  }

  /** Until the next attempt; throws once the producer is closed. */
  async #rest(failures: number, limits: BackoffLimits | null): Promise<void> {
    const { random, retry = retryLimits } = this.#options;
    const delayMs = backoffDelayMs(failures, limits ?? retry, random());
    await sleep(delayMs, undefined, { signal: this.#closing.signal });
  }

  /** The whole buffer is there to be used, until a transaction is committed again. */
  #deepen(): void {
    this.#isAnswered = false;
    if (this.#isBelow(0.5)) this.#room.wake();
  }

  #report(why: string): void {
    if (this.#closing.signal.aborted) return;
    this.#deepen();
    this.#options.onRetry(`cannot write to ${this.#servers}: ${why}`);
  }
}
