// How often REST was asked and what it answered, so that a test can see who asks on although it was refused.

/** By exchange, then by status. */
export type RestAnswered = Record<string, Record<string, number>>;

export class RestCounts {
  #answered: RestAnswered = {};

  count(exchange: string, status: number): void {
    const answered = this.#answered[exchange] ?? {};
    this.#answered[exchange] = answered;
    answered[status] = (answered[status] ?? 0) + 1;
  }

  state(): RestAnswered {
    return structuredClone(this.#answered);
  }

  clear(): void {
    this.#answered = {};
  }
}
