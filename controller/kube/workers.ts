// Hands the keys of a queue to `reconcile`, a few at a time, and turns each outcome into what happens to the key next.
import type { Logger } from '../../runtime/log.ts';
import { isConflict } from './errors.ts';
import type { KubeMetrics } from './metrics.ts';
import type { WorkQueue } from './queue.ts';

/** `done`: nothing more until the key is added again. Otherwise: come back after that time even if nothing changes. */
export type Outcome = 'done' | { requeueAfterMs: number };

/** An error that no retry can cure, only a change of the object or of what it depends on. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError';
}

export interface WorkersOptions {
  /** Label of the metrics and the log: the kind that is reconciled, in lower case. */
  controller: string;
  queue: WorkQueue;
  /** Keys worked on at once. */
  concurrency: number;
  /** `signal` is aborted at shutdown: whatever takes long should end then. */
  reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>;
  log: Pick<Logger, 'debug' | 'warn' | 'error'>;
  metrics?: KubeMetrics;
}

/** Resolves when `signal` is aborted and no key is worked on any more. Never rejects. */
export async function runWorkers(options: WorkersOptions, signal: AbortSignal): Promise<void> {
  const { controller, concurrency, metrics } = options;
  metrics?.workersMax.set({ controller }, concurrency);
  metrics?.activeWorkers.set({ controller }, 0);
  const worker = async () => {
    for (let key = await options.queue.get(signal); key !== null; key = await options.queue.get(signal)) {
      await reconcileOne(options, key, signal);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function reconcileOne(options: WorkersOptions, key: string, signal: AbortSignal): Promise<void> {
  const { controller, queue, log, metrics } = options;
  metrics?.activeWorkers.inc({ controller });
  const observe = metrics?.reconcileSeconds.startTimer({ controller });
  try {
    const outcome = await options.reconcile(key, signal);
    // Forget first: a key that works again must not keep the backoff of its past.
    queue.forget(key);
    if (outcome !== 'done') queue.addAfter(key, outcome.requeueAfterMs);
    metrics?.reconciles.inc({ controller, result: outcome === 'done' ? 'success' : 'requeue_after' });
  } catch (error) {
    // What shutdown cut short starts afresh in the next process.
    if (signal.aborted) return;
    if (error instanceof TerminalError) {
      queue.forget(key);
      metrics?.terminalErrors.inc({ controller });
      log.error({ controller, key, error }, 'reconcile failed, and trying again cannot help');
    } else if (isConflict(error)) {
      // Somebody else wrote first: normal life, and the next try reads the newer object.
      log.debug({ controller, key, retryAfterMs: queue.retry(key) }, 'conflict');
    } else {
      log.warn({ controller, key, error, retryAfterMs: queue.retry(key) }, 'reconcile failed');
    }
    metrics?.reconciles.inc({ controller, result: isConflict(error) ? 'requeue' : 'error' });
    if (!isConflict(error)) metrics?.reconcileErrors.inc({ controller });
  } finally {
    observe?.();
    metrics?.activeWorkers.dec({ controller });
    queue.done(key);
  }
}
