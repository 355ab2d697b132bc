// Which trade ids of one symbol were read so far, as ranges: a day of trades in order takes as much room as one. Pure.

interface Range {
  first: bigint;
  last: bigint;
}

export class SeenIds {
  /** Ascending, with something missing between two. */
  readonly #ranges: Range[] = [];

  /** False: it was there before. */
  add(id: bigint): boolean {
    const ranges = this.#ranges;
    const at = this.#after(id);
    const before = ranges[at - 1];
    const after = ranges[at];
    if (before !== undefined && id <= before.last) return false;
    const touchesBefore = before?.last === id - 1n;
    const touchesAfter = after?.first === id + 1n;
    if (touchesBefore && touchesAfter) {
      before.last = after.last;
      ranges.splice(at, 1);
    } else if (touchesBefore) before.last = id;
    else if (touchesAfter) after.first = id;
    else ranges.splice(at, 0, { first: id, last: id });
    return true;
  }

  /** What is missing between the first and the last that were seen: `5` or `5 to 7`. */
  holes(): string[] {
    return this.#ranges.slice(1).map(({ first }, index) => {
      const [from, to] = [(this.#ranges[index]?.last ?? 0n) + 1n, first - 1n];
      return from === to ? `${from}` : `${from} to ${to}`;
    });
  }

  /** Index of the first range that begins behind the id. */
  #after(id: bigint): number {
    let [low, high] = [0, this.#ranges.length];
    // Nearly always it goes to the end.
    if ((this.#ranges.at(-1)?.first ?? 0n) <= id) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.first ?? 0n) <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
