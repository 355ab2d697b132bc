// Bounded waiting for something outside that tells nobody when it happens: a port, a file, a condition in the API.
import { setTimeout } from 'node:timers/promises';

/** Short beside what is waited for, long beside the cost of a look. */
const pollMs = 50;

/** What is waited for cannot come any more. */
export class Hopeless extends Error {}

/**
 * Looks until `look` gives something else than undefined; an error counts as "not yet", and is told in the end.
 * @param what completes "waited in vain for"
 * @throws Error after `limitMs`; at once what `look` throws, if it is Hopeless
 */
export async function until<T>(
  what: string,
  limitMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    let cause: unknown;
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      cause = error;
    }
    if (performance.now() > end) {
      const reason = cause instanceof Error ? ` (${cause.message})` : '';
      throw new Error(`waited ${limitMs / 1000} s in vain for ${what}${reason}`, { cause });
    }
    await setTimeout(pollMs);
  }
}
