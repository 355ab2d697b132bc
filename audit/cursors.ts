// The cursor topic's last word on each symbol: `cursor <namespace>/<feed> <symbol>` -> {"lastId", "gaps", "lost", ..}.
import type { IdRange } from './trade-ids.ts';

export interface Cursor {
  feed: string;
  symbol: string;
  lastId: bigint;
  /** What the worker itself says is missing. */
  missing: IdRange[];
}

export class Cursors {
  readonly #feed: string | null;
  readonly #cursors = new Map<string, Cursor>();
  /** Records that cannot be read, by key. */
  readonly unreadable = new Map<string, string>();

  /** @param feed `<namespace>/<name>`; null: of whichever feed */
  constructor(feed: string | null) {
    this.#feed = feed;
  }

  /** Records of the topic, in order; those of owners are passed over. */
  take(key: string, value: string | null): void {
    const [kind, feed, symbol] = key.split(' ');
    if (kind !== 'cursor' || feed === undefined || symbol === undefined) return;
    if (this.#feed !== null && this.#feed !== feed) return;
    this.#cursors.delete(key);
    this.unreadable.delete(key);
    if (value === null) return;
    const cursor = readCursor(value);
    if (typeof cursor === 'string') this.unreadable.set(key, cursor);
    else this.#cursors.set(key, { feed, symbol, ...cursor });
  }

  /** One of each feed. */
  of(symbol: string): Cursor[] {
    return [...this.#cursors.values()].filter((cursor) => cursor.symbol === symbol);
  }

  isEmpty(): boolean {
    return this.#cursors.size === 0 && this.unreadable.size === 0;
  }
}

function readCursor(value: string): { lastId: bigint; missing: IdRange[] } | string {
  try {
    const { lastId, gaps = [], lost = [] } = JSON.parse(value) as { lastId: string; gaps?: Ids[]; lost?: Ids[] };
    return { lastId: readId(lastId), missing: [...gaps, ...lost].map(readRange) };
  } catch (error) {
    return (error as Error).message;
  }
}

interface Ids {
  firstId: string;
  lastId: string;
}

const readRange = ({ firstId, lastId }: Ids): IdRange => ({ firstId: readId(firstId), lastId: readId(lastId) });

function readId(value: unknown): bigint {
  if (typeof value !== 'string' || !/^\d+$/.test(value))
    throw new Error(`id ${JSON.stringify(value)} is not a number in quotes`);
  return BigInt(value);
}
