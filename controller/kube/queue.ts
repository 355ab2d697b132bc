// A work queue of keys: a key waits at most once, and is never handed out again before the worker that has it is done.
// The rules are client-go's: https://pkg.go.dev/k8s.io/client-go/util/workqueue
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { type BucketLimits, createBucket } from './bucket.ts';
import type { Clock } from './clock.ts';
import type { KubeMetrics } from './metrics.ts';

/**
 * The first retry comes after 1 to 2 s, the longest wait is 2.5 to 5 min: the outside systems need seconds to recover,
 * and nobody wants to wait longer than minutes until a recovery is noticed.
 */
const retryLimits: BackoffLimits = { delayMsBase: 2_000, delayMsMax: 300_000 };

// As client-go: of a thousand keys that fail at once, 10 a second come back.
const overallLimits: BucketLimits = { perSecond: 10, burst: 100 };

// Coming back too early is harmless and Node's timers end at 24.8 days, so a day is as good as any longer wait.
const addAfterMsMax = 86_400_000;

export interface WorkQueue {
  /** Makes the key wait for a worker, once; while a worker has it, after that one is done. */
  add(key: string): void;
  /**
   * Adds the key after `delayMs`. One delayed add per key: the earlier due time wins.
   * @throws RangeError for NaN, which a timer would take for "at once", again and again
   */
  addAfter(key: string, delayMs: number): void;
  /** The key that waits longest; `done(key)` must follow. Null once `signal` is aborted. */
  get(signal: AbortSignal): Promise<string | null>;
  /** The worker is done with the key, however it went. */
  done(key: string): void;
  /** Adds the key after its own backoff, later when too many keys fail together. Returns the wait in milliseconds. */
  retry(key: string): number;
  /** Forgets the key's failures: its next `retry` waits the shortest time again. */
  forget(key: string): void;
  /** Keys that wait for a worker now; not those with a worker, not delayed ones. */
  readonly length: number;
}

export interface WorkQueueOptions {
  /** Label of the metrics. */
  name: string;
  clock: Clock;
  /** A number in [0, 1). */
  random: () => number;
  metrics?: KubeMetrics;
}

export function createQueue({ name, clock, random, metrics }: WorkQueueOptions): WorkQueue {
  // Every collection here holds a key at most once, so the number of known objects bounds them all.
  /** Since when, as in the next two. */
  const waiting = new Map<string, number>();
  const processing = new Map<string, number>();
  /** Added again while a worker has them. */
  const dirty = new Map<string, number>();
  const delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  const failures = new Map<string, number>();
  const idleWorkers = new Set<(key: string) => void>();
  const overall = createBucket(overallLimits, clock.nowMs);
  const secondsSince = (startMs: number) => (clock.nowMs() - startMs) / 1_000;
  metrics?.observeWork(name, () => [...processing.values()].map(secondsSince));

  function wait(key: string, addedMs: number): void {
    waiting.set(key, addedMs);
    const [worker] = idleWorkers;
    if (worker) {
      idleWorkers.delete(worker);
      worker(take(key));
    }
    metrics?.queueDepth.set({ name }, waiting.size);
  }

  function take(key: string): string {
    metrics?.queueSeconds.observe({ name }, secondsSince(waiting.get(key) ?? clock.nowMs()));
    waiting.delete(key);
    processing.set(key, clock.nowMs());
    metrics?.queueDepth.set({ name }, waiting.size);
    return key;
  }

  function add(key: string): void {
    if (waiting.has(key) || dirty.has(key)) return;
    metrics?.queueAdds.inc({ name });
    if (processing.has(key)) dirty.set(key, clock.nowMs());
    else wait(key, clock.nowMs());
  }

  function addAfter(key: string, delayMs: number): void {
    if (Number.isNaN(delayMs)) throw new RangeError(`${key}: the delay is not a number of milliseconds`);
    const boundedMs = Math.min(Math.max(delayMs, 0), addAfterMsMax);
    const dueMs = clock.nowMs() + boundedMs;
    const planned = delayed.get(key);
    if (planned && planned.dueMs <= dueMs) return;
    planned?.cancel();
    const cancel = clock.setTimer(boundedMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { dueMs, cancel });
  }

  return {
    add,
    addAfter,
    get(signal) {
      if (signal.aborted) return Promise.resolve(null);
      const [key] = waiting.keys();
      if (key !== undefined) return Promise.resolve(take(key));
      return new Promise((resolve) => {
        const finish = (found: string | null) => {
          signal.removeEventListener('abort', abort);
          resolve(found);
        };
        const abort = () => {
          idleWorkers.delete(finish);
          finish(null);
        };
        signal.addEventListener('abort', abort);
        idleWorkers.add(finish);
      });
    },
    done(key) {
      const startMs = processing.get(key);
      if (startMs !== undefined) metrics?.workSeconds.observe({ name }, secondsSince(startMs));
      processing.delete(key);
      const addedMs = dirty.get(key);
      dirty.delete(key);
      if (addedMs !== undefined) wait(key, addedMs);
    },
    retry(key) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      metrics?.queueRetries.inc({ name });
      const delayMs = Math.max(overall.reserve(), backoffDelayMs(count, retryLimits, random()));
      addAfter(key, delayMs);
      return delayMs;
    },
    forget: (key) => void failures.delete(key),
    get length() {
      return waiting.size;
    },
  };
}
