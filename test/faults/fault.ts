// What a kind of fault is, and what it is given when it is its turn. Each kind is an object of this form in kinds/.
import type { Feed } from './feeds.ts';
import type { System } from './system.ts';

export interface Fault {
  /** As the lines and tables of a run have it. */
  name: string;
  /** One sentence: what happens. */
  doc: string;
  /** How often it is drawn beside the others. */
  weight: number;
  /** One feed, drawn from the seed, or all of them at once. */
  hits: 'one' | 'all';
  /** Exchanges whose feeds it can hit; absent: every one. */
  exchanges?: readonly string[];
  /**
   * Whether the exchange may have sent trades meanwhile to nobody. Where ids prove nothing and no history can be asked
   * (Bybit), such trades are gone, and nothing of ours could have had them.
   */
  losesUnproven: boolean;
  /** Does the fault, and undoes what does not pass by itself. @throws Error when the bed did not let it */
  run(context: FaultContext): Promise<void>;
}

export interface FaultContext {
  system: System;
  /** Drawn; of a fault that hits all, the one to start with. */
  feed: Feed;
  /** The next of the fault's own numbers in [0, 1): the same for the same seed and number. */
  random(): number;
  /** Called the moment the fault has taken effect: times count from here. @param what which pod, for how long */
  hit(what: string): void;
  /** Between two steps of one fault: resolves when every feed is whole after the step. @throws Error if it is not */
  whole(): Promise<void>;
}

/** One of them, by the next number. @throws RangeError when there is none */
export function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** A whole number of `from` to `to`, both included. */
export function between(from: number, to: number, random: () => number): number {
  return from + Math.floor(random() * (to - from + 1));
}
