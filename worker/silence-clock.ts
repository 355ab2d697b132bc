// The time in which another's silence means something: the log could be read, and was read to its end. Pure.

/**
 * Of one step; two answers of an idle log are half a second apart. A longer one had a pause in it, of this process or
 * of the broker, in which nobody could write or be heard.
 */
const stepMsMax = 2000;

export class SilenceClock {
  /** Milliseconds so far. */
  ms = 0;
  /** All that was written before this moment has been read; null: not known. */
  #readMs: number | null = null;
  /** Once this offset is reached, all that was written before the moment has been read. */
  #aim: { offset: bigint; ms: number } | null = null;

  /**
   * The log was read up to an offset.
   * @param askedMs when this was asked for, milliseconds from any fixed point, never backwards
   * @param endOffset the log's end as the answer told it
   */
  read(askedMs: number, nextOffset: bigint, endOffset: bigint): void {
    this.#aim ??= { offset: endOffset, ms: askedMs };
    if (nextOffset < this.#aim.offset) return;
    if (this.#readMs !== null) this.ms += Math.min(this.#aim.ms - this.#readMs, stepMsMax);
    this.#readMs = this.#aim.ms;
    this.#aim = null;
  }

  /** The log could not be read: the time until it is read to its end again does not count. */
  interrupt(): void {
    this.#readMs = null;
    this.#aim = null;
  }
}
