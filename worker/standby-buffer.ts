// What a standby has read and may have to write: the newest frames, bounded in bytes and age. No clock of its own.
//
// What falls out at the old end is no loss: the owner has written it, and what no owner wrote shows as a gap at the
// take-over and is asked of the exchange.

/** A take-over after 15 s of silence replays all of it up to 1,000 trades a second; within 512 MiB it costs little. */
export const standbyBytesMax = 16 * 1024 * 1024;

/** Four times the owner's silence that a standby waits for: its last seconds, the wait, and a slow take-over. */
export const standbyAgeMsMax = 60_000;

/** A frame's share of objects, so that many small frames count for what they take. */
const frameBytesOverhead = 200;

/** The queue is moved up after so many have fallen out: rarely, and before they are most of it. */
const fallenMax = 4096;

interface Kept<T> {
  frame: T;
  bytes: number;
  keptMs: number;
}

export class StandbyBuffer<T> {
  #kept: Kept<T>[] = [];
  /** How many at the start have fallen out. */
  #fallen = 0;
  #bytes = 0;

  /** @param nowMs milliseconds from any fixed point, never backwards */
  keep(frame: T, frameBytes: number, nowMs: number): void {
    const bytes = frameBytes + frameBytesOverhead;
    this.#kept.push({ frame, bytes, keptMs: nowMs });
    this.#bytes += bytes;
    for (let oldest = this.#kept[this.#fallen]; oldest; oldest = this.#kept[this.#fallen]) {
      if (this.#bytes <= standbyBytesMax && oldest.keptMs + standbyAgeMsMax >= nowMs) break;
      this.#bytes -= oldest.bytes;
      this.#fallen++;
    }
    if (this.#fallen < fallenMax) return;
    this.#kept = this.#kept.slice(this.#fallen);
    this.#fallen = 0;
  }

  oldest(): T | undefined {
    return this.#kept[this.#fallen]?.frame;
  }

  /** Everything kept, oldest first; nothing is kept after that. */
  take(): T[] {
    const frames = this.#kept.slice(this.#fallen).map(({ frame }) => frame);
    this.#kept = [];
    this.#fallen = 0;
    this.#bytes = 0;
    return frames;
  }

  size(): { frames: number; bytes: number } {
    return { frames: this.#kept.length - this.#fallen, bytes: this.#bytes };
  }
}
