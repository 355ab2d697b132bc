// The cursor topic and the broker's rule of one writer per transactional id, in memory, for tests of the hand-over.
import type { OwnerRecord, View } from '../../worker/cursor-records.ts';
import { FeedView, ownerRecord } from '../../worker/cursor-records.ts';

const place = { topic: 'cursors', feed: 'default/test' };

/** What all workers of the feed share. */
export class MemoryLog {
  readonly records: { shard: number; owner: OwnerRecord }[] = [];
  /** How often each transactional id was claimed; only the last to claim it writes. */
  readonly epochs = new Map<string, number>();
  #waiters: (() => void)[] = [];

  write(shard: number, owner: OwnerRecord): void {
    this.records.push({ shard, owner });
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  claim(transactionalId: string): number {
    const epoch = (this.epochs.get(transactionalId) ?? 0) + 1;
    this.epochs.set(transactionalId, epoch);
    return epoch;
  }

  grown(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Instance and state of each record, in order. */
  told(): string[] {
    return this.records.map(({ owner }) => `${owner.instance} ${owner.state}`);
  }
}

/** One worker's view of it; its clock is the test's. */
export class MemoryCursorLog {
  readonly #log: MemoryLog;
  readonly #view = new FeedView(place.feed, 0);
  readonly #clock: { nowMs: number };
  #read = 0;
  /** Wakes changed(), as time does. */
  #look: () => void = () => {};

  constructor(log: MemoryLog, clock: { nowMs: number }) {
    this.#log = log;
    this.#clock = clock;
  }

  view(): View {
    this.#view.clockMs = this.#clock.nowMs;
    return this.#view;
  }

  async catchUp(): Promise<void> {
    this.view();
    for (const { shard, owner } of this.#log.records.slice(this.#read)) {
      const { key, value } = ownerRecord(place, shard, owner, 0);
      this.#view.fold({ offset: BigInt(this.#read++), key: Buffer.from(key ?? ''), value });
    }
  }

  async changed(_waitMsMax: number, signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    if (!signal.aborted && this.#read === this.#log.records.length) {
      await Promise.race([this.#log.grown(), aborted, new Promise<void>((resolve) => (this.#look = resolve))]);
    }
    await this.catchUp();
  }

  /** As if the time to wait were over. */
  look(): void {
    this.#look();
  }
}
