// Halves of trades that wait for their other half, in a bounded window. Both are written in one transaction and have
// one record time, so that in step the other half comes soon.
import type { NormalizedHalf, RawHalf } from './compare.ts';
import type { Place } from './trade.ts';

/** Halves. Some 500 bytes each: 50 MB; a transaction holds at most a fifth of it. */
export const waitingMax = 100_000;

/** With its record's time, milliseconds since 1970. */
export type Half = Place & { timeMs: number } & (
    | ({ side: 'raw' } & RawHalf)
    | ({ side: 'normalized' } & NormalizedHalf)
  );
export type Side = Half['side'];

export class Pairing {
  readonly #waiting = new Map<string, Half>();

  /** @returns the other half; null: this one waits for it now */
  take(key: string, half: Half): Half | null {
    const other = this.other(key, half.side);
    if (other === null) this.#waiting.set(key, half);
    return other;
  }

  /** Without waiting for it. */
  other(key: string, side: Side): Half | null {
    const other = this.#waiting.get(key);
    if (other === undefined || other.side === side) return null;
    this.#waiting.delete(key);
    return other;
  }

  /** The half that waited longest, if more wait than the window holds. */
  overflow(): Half | null {
    if (this.#waiting.size <= waitingMax) return null;
    for (const [key, half] of this.#waiting) {
      this.#waiting.delete(key);
      return half;
    }
    return null;
  }

  waiting(): number {
    return this.#waiting.size;
  }

  /** Those that wait, in the order in which they came; none waits any more. */
  giveUp(): Half[] {
    const rest = [...this.#waiting.values()];
    this.#waiting.clear();
    return rest;
  }
}
