// A producer in memory that keeps the port's promises; the test decides when the broker acknowledges.
import type { Producer, ProducerRecord } from '../../worker/producer/producer.ts';

export interface MemoryProducer extends Producer {
  /** Everything ever appended, in order. */
  appended: ProducerRecord[];
  /** Resolves once so many records were appended. */
  holds(count: number): Promise<void>;
  /** Acknowledges all that is buffered. */
  acknowledge(): void;
}

/** @param bufferRecordsMax the buffer is full above it, and has room again at half of it */
export function createMemoryProducer(bufferRecordsMax = Number.POSITIVE_INFINITY): MemoryProducer {
  let buffered = 0;
  let roomWaiters: (() => void)[] = [];
  let countWaiters: { count: number; resolve: () => void }[] = [];
  const producer: MemoryProducer = {
    appended: [],
    append(record) {
      producer.appended.push(record);
      buffered++;
      for (const { count, resolve } of countWaiters) if (producer.appended.length >= count) resolve();
      countWaiters = countWaiters.filter(({ count }) => producer.appended.length < count);
      return buffered <= bufferRecordsMax;
    },
    room: () =>
      buffered <= bufferRecordsMax / 2 ? Promise.resolve() : new Promise((resolve) => roomWaiters.push(resolve)),
    buffered: () => ({ records: buffered, bytes: 0 }),
    flush: () => Promise.resolve(buffered),
    close: () => Promise.resolve(),
    holds: (count) =>
      producer.appended.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => countWaiters.push({ count, resolve })),
    acknowledge() {
      buffered = 0;
      for (const resolve of roomWaiters) resolve();
      roomWaiters = [];
    },
  };
  return producer;
}
