// Which faults come, in which order, on which feed: a function of the seed alone, so that a run can be had again. Pure.
import { draw, symbolSeed } from '../simulator/trades.ts';

/** What the order of faults depends on; test/faults/fault.ts has the whole. */
export interface Kind {
  name: string;
  weight: number;
  exchanges?: readonly string[];
}

export interface Planned<K extends Kind, F> {
  /** From 1. */
  number: number;
  kind: K;
  feed: F;
  /** Numbers in [0, 1) of this fault's own: the same whatever the faults before it took. */
  random: () => number;
}

/** Numbers in [0, 1), the same for the same seed and name. */
export function randomOf(seed: string, name: string): () => number {
  const start = symbolSeed(seed, name);
  let drawn = 0;
  return () => draw(start, drawn++, 0);
}

/**
 * Every kind once, in a drawn order, so that a short run knows many; then kinds by their weight. Never ends.
 * @throws RangeError when a kind fits no feed
 */
export function* schedule<K extends Kind, F extends { exchange: string }>(
  seed: string,
  kinds: readonly K[],
  feeds: readonly F[],
): Generator<Planned<K, F>, never> {
  const order = randomOf(seed, 'order');
  const first = shuffled(kinds, order);
  for (let number = 1; ; number++) {
    const kind = first[number - 1] ?? byWeight(kinds, order());
    const fitting = feeds.filter(({ exchange }) => kind.exchanges?.includes(exchange) ?? true);
    const feed = fitting[Math.floor(order() * fitting.length)];
    if (feed === undefined) throw new RangeError(`no feed for ${kind.name}: it needs ${kind.exchanges?.join(' or ')}`);
    yield { number, kind, feed, random: randomOf(seed, `fault ${number}`) };
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** @param at in [0, 1) */
function byWeight<K extends Kind>(kinds: readonly K[], at: number): K {
  let left = at * kinds.reduce((sum, { weight }) => sum + weight, 0);
  const found = kinds.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  if (found === undefined) throw new RangeError('no kinds with a weight above 0');
  return found;
}
