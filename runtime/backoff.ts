// Capped exponential backoff with jitter: the first try is immediate, later ones wait half of a doubling bound and a
// random part of the other half. Jitter spreads clients that failed together:
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

export interface BackoffLimits {
  /** Bound of the first wait, milliseconds. */
  delayMsBase: number;
  /** No wait is longer, milliseconds. */
  delayMsMax: number;
}

/**
 * Milliseconds to wait before try number `failures` + 1.
 * @param failures consecutive failures so far, 0 before the first try
 * @param random a number in [0, 1)
 */
export function backoffDelayMs(failures: number, limits: BackoffLimits, random: number): number {
  if (failures === 0) return 0;
  // 2 ** 52 and more would lose precision; the cap is reached long before.
  const bound = Math.min(limits.delayMsMax, limits.delayMsBase * 2 ** Math.min(failures - 1, 50));
  return Math.round(bound * (0.5 + random / 2));
}
