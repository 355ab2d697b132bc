// Reproducible randomness: each frame has a stream of its own, so that any of them can be made again by its number.

export interface Random {
  /** A whole number from 0 to below `end`, which is at most 2^32. */
  below(end: number): number;
  /** One of them. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** The first numbers of sfc32 still look like its seed. */
const warmUpSteps = 12;

/**
 * sfc32 (http://pracrand.sourceforge.net/RNG_engines.txt), seeded by two numbers.
 * @param seed of the run
 * @param number of the frame in it, below 2^53
 */
export function createRandom(seed: number, number: number): Random {
  let a = seed | 0;
  let b = number | 0;
  let c = Math.floor(number / 2 ** 32) | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let step = 0; step < warmUpSteps; step++) next();
  const below = (end: number) => Math.floor((next() / 2 ** 32) * end);
  return { below, pick: (items) => items[below(items.length)] ?? items[0] };
}
