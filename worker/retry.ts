// Repeats what may fail for a while, with backoff, until it succeeds, is terminal, or the worker shuts down.
import { setTimeout as sleepFor } from 'node:timers/promises';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import { RetryLaterError, TerminalError } from './errors.ts';

export interface RetryOptions {
  limits: BackoffLimits;
  /** A number in [0, 1). */
  random: () => number;
  /** Called with each failure that will be repeated, in one sentence. */
  onFailure: (why: string) => void;
}

/**
 * @throws TerminalError as the operation threw it; the signal's reason when aborted
 */
export async function retry<T>(operation: () => Promise<T>, options: RetryOptions, signal: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      return await operation();
    } catch (error) {
      if (error instanceof TerminalError || signal.aborted) throw error;
      options.onFailure(messageOf(error));
      await sleep(retryDelayMs(error, failures, options), signal);
    }
  }
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch() says only "fetch failed"; its cause says why, and an AggregateError's message is empty.
  const cause = error.cause as (Error & { code?: string }) | undefined;
  const detail = cause?.message || cause?.code;
  return detail && !error.message.includes(detail) && error.message === 'fetch failed' ? detail : error.message;
}

export function retryDelayMs(
  error: unknown,
  failures: number,
  { limits, random }: Omit<RetryOptions, 'onFailure'>,
): number {
  const delayMs = backoffDelayMs(failures, limits, random());
  return error instanceof RetryLaterError ? Math.max(delayMs, error.retryAfterMs) : delayMs;
}

/** Resolves early, without an error, when the signal is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
