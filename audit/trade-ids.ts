// Which trade ids of one symbol were seen. Where ids are consecutive, as ranges: a hundred million trades without a gap
// are one range. Where they prove nothing, the newest ones.

export interface IdRange {
  /** Both included. */
  firstId: bigint;
  lastId: bigint;
}

/** Of one symbol. More means that ids are not consecutive at all; some 10 MB. */
export const rangesMax = 100_000;

export class IdRanges {
  /** By id, with at least one id missing between two of them. */
  readonly #ranges: IdRange[] = [];

  /** @returns whether it was not seen before */
  add(id: bigint): boolean {
    const last = this.#ranges.at(-1);
    if (last !== undefined && id === last.lastId + 1n) {
      last.lastId = id;
      return true;
    }
    if (last === undefined || id > last.lastId) {
      this.#insert(this.#ranges.length, id);
      return true;
    }
    const at = this.#firstEndingAtOrAfter(id);
    const range = this.#ranges[at];
    if (range === undefined || range.firstId <= id) return false;
    const before = this.#ranges[at - 1];
    const joinsBefore = before !== undefined && before.lastId + 1n === id;
    const joinsRange = range.firstId - 1n === id;
    if (joinsBefore && joinsRange) {
      before.lastId = range.lastId;
      this.#ranges.splice(at, 1);
    } else if (joinsBefore) before.lastId = id;
    else if (joinsRange) range.firstId = id;
    else this.#insert(at, id);
    return true;
  }

  /** Null: none was seen. */
  first(): bigint | null {
    return this.#ranges[0]?.firstId ?? null;
  }

  last(): bigint | null {
    return this.#ranges.at(-1)?.lastId ?? null;
  }

  isFull(): boolean {
    return this.#ranges.length > rangesMax;
  }

  /** What is missing from this id on, by id. */
  holes(fromId: bigint): IdRange[] {
    const holes: IdRange[] = [];
    for (const [at, { firstId }] of this.#ranges.entries()) {
      const before = this.#ranges[at - 1];
      if (before === undefined || firstId <= fromId) continue;
      const lastBefore = before.lastId < fromId ? fromId - 1n : before.lastId;
      if (firstId > lastBefore + 1n) holes.push({ firstId: lastBefore + 1n, lastId: firstId - 1n });
    }
    return holes;
  }

  #firstEndingAtOrAfter(id: bigint): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.lastId < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(at: number, id: bigint): void {
    if (!this.isFull()) this.#ranges.splice(at, 0, { firstId: id, lastId: id });
  }
}

/** Of one symbol: a repeat comes with the overlap of two connections or workers, which is far less; some 5 MB. */
export const recentIdsMin = 20_000;

/** Remembers at least recentIdsMin ids, and less than twice as many. */
export class RecentIds {
  #newer = new Set<string>();
  #older = new Set<string>();

  /** @returns whether it is not among the newest */
  add(id: string): boolean {
    if (this.#newer.has(id) || this.#older.has(id)) return false;
    this.#newer.add(id);
    if (this.#newer.size === recentIdsMin) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    return true;
  }
}
