// Follows the cursor topic from its start, and keeps what it says of one feed.
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import { CommittedFilter, OffsetError, PartitionReader } from './committed.ts';
import { FeedView, type View } from './cursor-records.ts';
import type { ClientOptions } from './producer/client.ts';
import { messageOf, retry, sleep } from './retry.ts';
import { SilenceClock } from './silence-clock.ts';

/** The only partition: one order for all that is written. */
const partition = 0;

/** An idle topic is asked again so often: the step in which silence is counted. */
const fetchWaitMs = 500;

/** Forever at the longest delay: without the log nobody can take over, and a reader does no harm. */
const retryLimits: BackoffLimits = { delayMsBase: 100, delayMsMax: 2000 };

export interface CursorLogOptions extends ClientOptions {
  topic: string;
  /** `<namespace>/<name>` */
  feed: string;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
  /** Why the topic cannot be read now, one sentence; null: it is read. */
  onProblem: (problem: string | null) => void;
  /** A record that cannot be read was skipped; `why` is one sentence. */
  onUnreadable: (why: string) => void;
}

export class CursorLog {
  readonly #options: CursorLogOptions;
  readonly #closing = new AbortController();
  readonly #reader: PartitionReader;
  /** Of its own connection, where no answer waits for records. */
  readonly #asker: PartitionReader;
  readonly #following: Promise<void>;
  readonly #clock = new SilenceClock();
  #view: FeedView;
  /** What is being read; it becomes the view at the log's end, for half a log has the wrong owners. */
  #next: FeedView;
  #filter = new CommittedFilter();
  /** Null: not begun, or to begin anew. */
  #nextOffset: bigint | null = null;
  /** How often reading began anew: offsets of before mean nothing then. */
  #beginnings = 0;
  #hasOwnerChanged = false;
  /** Resolved with the next answer. */
  #answered = Promise.withResolvers<void>();

  /** Follows from now on, and keeps trying when the broker is away. */
  constructor(options: CursorLogOptions) {
    this.#options = options;
    const { topic } = options;
    const remedy = `the controller makes it, or: rpk topic create ${topic} -p 1 -c cleanup.policy=compact`;
    this.#reader = new PartitionReader({ ...options, remedy });
    this.#asker = new PartitionReader({ ...options, remedy });
    this.#view = new FeedView(options.feed, 0);
    this.#next = this.#view;
    this.#following = this.#follow(this.#closing.signal);
  }

  /** As of the last answer; nothing before the log was once read to its end. It goes on changing. */
  view(): View {
    return this.#view;
  }

  /**
   * Resolves once everything is read that stood in the topic when this was called. What was committed just before may
   * stand there a little later: its marker comes after the answer to the commit.
   * @throws Error when the signal is aborted
   */
  async catchUp(signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    // What keeps it from being asked keeps it from being read, too, and is told there.
    const options = { limits: retryLimits, random, onFailure: () => {} };
    for (let isRead = false; !isRead; ) {
      const endOffset = await retry(() => this.#asker.endOffset(partition), options, signal);
      const beginning = this.#beginnings;
      const isBehind = () => (this.#nextOffset ?? -1n) < endOffset || this.#view !== this.#next;
      while (beginning === this.#beginnings && isBehind()) {
        await until(this.#answered.promise, signal);
        signal.throwIfAborted();
      }
      isRead = beginning === this.#beginnings;
    }
  }

  /** Resolves when an owner record was read since the last call, after so many milliseconds, or with the signal. */
  async changed(waitMsMax: number, signal: AbortSignal): Promise<void> {
    const waited = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(waitMsMax))]);
    while (!this.#hasOwnerChanged && !waited.aborted) await until(this.#answered.promise, waited);
    this.#hasOwnerChanged = false;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#reader.close(), this.#asker.close()]);
    await this.#following;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { random, onProblem } = this.#options;
    for (let failures = 0, isRead = false; !signal.aborted; ) {
      try {
        await this.#readOn();
        if (!isRead) onProblem(null);
        isRead = true;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        isRead = false;
        this.#clock.interrupt();
        if (error instanceof OffsetError) this.#nextOffset = null;
        onProblem(messageOf(error));
        await sleep(backoffDelayMs(++failures, retryLimits, random()), signal);
      }
    }
  }

  async #readOn(): Promise<void> {
    const { monotonicMs, onUnreadable } = this.#options;
    const from = this.#nextOffset ?? (await this.#begin());
    const askedMs = monotonicMs();
    const { batches, nextOffset, endOffset } = await this.#reader.fetch(partition, from, fetchWaitMs);
    // Should what follows fail, all is read anew: half an answer can be taken neither back nor again.
    this.#nextOffset = null;
    for (const batch of batches) {
      for (const record of this.#filter.take(batch, from)) {
        const folded = this.#next.fold(record);
        if (folded.kind === 'unreadable') onUnreadable(folded.why);
        if (folded.kind === 'owner') this.#hasOwnerChanged = true;
      }
    }
    this.#nextOffset = nextOffset;
    this.#clock.read(askedMs, nextOffset, endOffset);
    this.#next.tick(this.#clock.ms);
    if (nextOffset >= endOffset) this.#view = this.#next;
    this.#answered.resolve();
    this.#answered = Promise.withResolvers();
  }

  async #begin(): Promise<bigint> {
    const { topic, feed } = this.#options;
    const count = await this.#reader.partitions();
    if (count !== 1) {
      const remedy = 'delete it and make it anew with one: what it holds is in no one order';
      throw new Error(`topic ${topic} has ${count} partitions, and must have one; ${remedy}`);
    }
    this.#filter = new CommittedFilter();
    this.#next = new FeedView(feed, this.#clock.ms);
    this.#beginnings++;
    return this.#reader.startOffset(partition);
  }
}

/** Resolves, and never rejects, with either. */
async function until(event: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  signal.addEventListener('abort', end, { once: true });
  await Promise.race([event, promise]);
  signal.removeEventListener('abort', end);
}
