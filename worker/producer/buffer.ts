// How much both producers take before they ask to wait, and who waits.
import type { ProducerRecord } from './producer.ts';

/** About 50,000 trades with their frames: five minutes of a broker's absence at the 168 trades/s of a usual feed. */
export const bufferBytesMax = 32 * 1024 * 1024;
export const bufferRecordsMax = 100_000;

/**
 * While the broker answers: what is read in some 20 ms at full speed. More brings no speed, but what waits outlives
 * collections of garbage, and these then take half of the CPU; docs/decisions/0007-fast-producer.md has the figures.
 */
export const answeredRecordsMax = 2000;

/**
 * A broker that takes longer counts as one that does not answer, so that reading goes on into the whole buffer: most
 * answers come within 50 ms, and an exchange does not wait long for a reader that stands still.
 */
export const answerMsMax = 250;

/** A record's share of objects and framing, so that many small records count for what they take. */
const recordBytesOverhead = 150;
const headerBytesOverhead = 40;

export function recordBytes({ value, headers }: ProducerRecord): number {
  return value.length + headers.length * headerBytesOverhead + recordBytesOverhead;
}

/** Those who wait for the same thing. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Until woken, or until so many milliseconds have passed. */
  wait(msMax?: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = msMax === undefined ? undefined : setTimeout(end, msMax);
      this.#waiting.add(end);
    });
  }

  wake(): void {
    for (const end of [...this.#waiting]) end();
  }
}
