// How often trades of one symbol come, and whether its silence is far longer than that. Pure: a quiet market has its
// own rhythm, so only a symbol that broke its rhythm is worth a question to the exchange.

/** Fewer tell nothing of how long a pause may be. */
const tradesMin = 20;
/** Pauses that the average goes over, the newest counting most. */
const pausesAveraged = 100;
/** Of trades that come by chance, none in 10^13 pauses is so many times the average; markets that sleep do more. */
const pausesMax = 30;
/** Bursts make the average short: below this no silence is long. */
const silenceMsMin = 120_000;

export class Rhythm {
  #trades = 0;
  #pauseMs = 0;
  #lastMs = 0;
  /** When the exchange was last asked whether the silence is one. */
  #askedMs = Number.NEGATIVE_INFINITY;

  /** A trade came by the stream. @param nowMs milliseconds of the caller's clock, never backwards */
  beat(nowMs: number): void {
    if (this.#trades > 0) {
      this.#pauseMs += (nowMs - this.#lastMs - this.#pauseMs) / Math.min(this.#trades, pausesAveraged);
    }
    this.#trades++;
    this.#lastMs = nowMs;
  }

  asked(nowMs: number): void {
    this.#askedMs = nowMs;
  }

  /** Nobody has asked about this silence, or not since it is twice as long. */
  isBroken(nowMs: number): boolean {
    const silenceMs = nowMs - this.#lastMs;
    const askedAfterMs = Math.max(this.#askedMs - this.#lastMs, 0);
    return this.#trades >= tradesMin && silenceMs > Math.max(silenceMsMin, pausesMax * this.#pauseMs, 2 * askedAfterMs);
  }
}
