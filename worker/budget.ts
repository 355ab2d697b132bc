// So many in so long: requests, connection attempts. Counts over the window that slides along, as exchanges do.

export interface BudgetLimits {
  count: number;
  windowMs: number;
}

export class Budget {
  readonly #limits: BudgetLimits;
  /** When the last `count` were taken, oldest first. */
  readonly #taken: number[] = [];

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** Milliseconds until one more fits, 0: now. */
  delayMs(nowMs: number): number {
    const { count, windowMs } = this.#limits;
    const oldest = this.#taken[0];
    return this.#taken.length < count || oldest === undefined ? 0 : Math.max(0, oldest + windowMs - nowMs);
  }

  take(nowMs: number): void {
    this.#taken.push(nowMs);
    if (this.#taken.length > this.#limits.count) this.#taken.shift();
  }
}
