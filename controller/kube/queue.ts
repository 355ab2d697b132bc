// A work queue of keys: a key waits at most once, and is never handed out again before the worker that has it is done.
// The rules are client-go's: https://pkg.go.dev/k8s.io/client-go/util/workqueue
// Keys added once there are workers are changes just seen: they go before those of the first list, those that gathered
// while another process led, and those that come back by themselves.
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { type BucketLimits, createBucket } from './bucket.ts';
import type { Clock } from './clock.ts';
import { createLevels, type Level, type Waiting } from './levels.ts';
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
  /**
   * Makes the key wait for a worker, once; while a worker has it, after that one is done. Before the first `get` it is
   * of the low level, then of the normal one, also if it waits already.
   */
  add(key: string): void;
  /**
   * Adds the key after `delayMs`, of the low level. One delayed add per key: the earlier due time wins.
   * @throws RangeError for NaN, which a timer would take for "at once", again and again
   */
  addAfter(key: string, delayMs: number): void;
  /** The key that waits longest at its level; `done(key)` must follow. Null once `signal` is aborted. */
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
  const waiting = createLevels();
  /** Since when. */
  const processing = new Map<string, number>();
  /** Added again while a worker has them. */
  const dirty = new Map<string, Waiting>();
  const delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  const failures = new Map<string, number>();
  const idleWorkers = new Set<(key: string) => void>();
  let hasWorkers = false;
  const overall = createBucket(overallLimits, clock.nowMs);
  const secondsSince = (startMs: number) => (clock.nowMs() - startMs) / 1_000;
  metrics?.observeWork(name, () => [...processing.values()].map(secondsSince));

  function wait(key: string, entry: Waiting): void {
    waiting.set(key, entry);
    metrics?.queueDepth.set({ name }, waiting.size);
    const [worker] = idleWorkers;
    const taken = worker ? take() : null;
    if (!worker || taken === null) return;
    idleWorkers.delete(worker);
    worker(taken);
  }

  function take(): string | null {
    const taken = waiting.take();
    if (taken === undefined) return null;
    const [key, { addedMs }] = taken;
    metrics?.queueSeconds.observe({ name }, secondsSince(addedMs));
    processing.set(key, clock.nowMs());
    metrics?.queueDepth.set({ name }, waiting.size);
    return key;
  }

  function addAt(level: Level, key: string): void {
    const isWorkedOn = processing.has(key);
    const before = isWorkedOn ? dirty.get(key) : waiting.get(key);
    if (before === undefined) metrics?.queueAdds.inc({ name });
    else if (before.level === level || level === 'low') return;
    const entry = { level, addedMs: before?.addedMs ?? clock.nowMs() };
    if (isWorkedOn) dirty.set(key, entry);
    else wait(key, entry);
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
      addAt('low', key);
    });
    delayed.set(key, { dueMs, cancel });
  }

  return {
    add: (key) => addAt(hasWorkers ? 'normal' : 'low', key),
    addAfter,
    get(signal) {
      hasWorkers = true;
      if (signal.aborted) return Promise.resolve(null);
      const key = take();
      if (key !== null) return Promise.resolve(key);
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
      const again = dirty.get(key);
      dirty.delete(key);
      if (again !== undefined) wait(key, again);
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
