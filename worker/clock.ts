// The wall clock in microseconds.

/** Two clocks that agree to the millisecond read as different by up to this much, milliseconds. */
const agreementMs = 2;

/**
 * Microseconds since 1970. Date has only milliseconds; performance.now() has the digits, but does not follow when the
 * system's clock is corrected, so it is set again whenever the two disagree.
 */
export function createWallClock(dateMs: () => number, monotonicMs: () => number): () => number {
  let originMs = dateMs() - monotonicMs();
  return () => {
    const wallMs = dateMs();
    const preciseMs = originMs + monotonicMs();
    if (Math.abs(preciseMs - wallMs) <= agreementMs) return Math.round(preciseMs * 1000);
    originMs = wallMs - monotonicMs();
    return wallMs * 1000;
  };
}
