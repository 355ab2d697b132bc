// What a person may ask of a run, from the variables that `make faults` passes on. Pure.
import { type Delivery, deliveries } from '../../api/exchange-feed.ts';

export interface RunOptions {
  /** Faults after which it ends. */
  faults: number;
  seed: string;
  /** No fault is begun after that many minutes; null: all faults are done, however long that takes. */
  minutes: number | null;
  /** Names of the kinds to draw from; null: all. */
  kinds: readonly string[] | null;
  /** Of the feeds. With AtLeastOnce doubled trades are to be expected, and the run must find them. */
  delivery: Delivery;
}

/** A week's worth: more is a slip of the finger. */
const faultsMax = 100_000;
const minutesMax = 7 * 24 * 60;

/** @throws Error with one sentence: the variable, what is wrong with it, and a right example */
export function parseOptions(env: Record<string, string | undefined>, kindNames: readonly string[]): RunOptions {
  const kinds = env.KINDS ? env.KINDS.split(',').map((name) => name.trim()) : null;
  const unknown = kinds?.find((name) => !kindNames.includes(name));
  if (unknown !== undefined) throw new Error(`KINDS names '${unknown}', which is none of ${kindNames.join(', ')}`);
  const delivery = deliveries.find((known) => known === (env.DELIVERY || 'ExactlyOnce'));
  if (delivery === undefined) throw new Error(`DELIVERY is '${env.DELIVERY}': it must be ${deliveries.join(' or ')}`);
  return {
    faults: wholeNumber('FAULTS', env.FAULTS || '30', faultsMax, 'FAULTS=30'),
    seed: env.SEED || '1',
    minutes: env.MINUTES ? wholeNumber('MINUTES', env.MINUTES, minutesMax, 'MINUTES=60') : null,
    kinds,
    delivery,
  };
}

function wholeNumber(name: string, text: string, max: number, example: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new Error(`${name} is '${text}': it must be 1 to ${max}, for example ${example}`);
  return value;
}
