// What was sent, by connection and in order, byte for byte. Bounded: beyond the bound nothing more is kept, and every reader is told.

/** Chunks are allocated whole; one is small against the bound and large against a frame. */
const chunkBytes = 1024 * 1024;
/** Estimated memory per entry beside its bytes, so that many small frames count, too. */
const entryBytes = 96;

export interface LedgerState {
  frames: number;
  bytes: number;
  bytesMax: number;
  /** More than 0: the ledger is full and incomplete. */
  framesNotKept: number;
}

/** One text frame as sent; symbol and id are null for what is not a trade (acknowledgements, notices). */
export interface SentFrame {
  connection: number;
  symbol: string | null;
  id: number | null;
  frame: string;
}

interface Entry {
  connection: number;
  symbol: string | null;
  id: number | null;
  chunk: Buffer;
  start: number;
  length: number;
}

export class Ledger {
  #entries: Entry[] = [];
  #chunk = Buffer.alloc(0);
  #used = 0;
  #bytes = 0;
  #framesNotKept = 0;
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  append(connection: number, symbol: string | null, id: number | null, frame: Buffer): void {
    const length = frame.length;
    if (this.#framesNotKept > 0 || this.#bytes + length + entryBytes > this.#bytesMax) {
      this.#framesNotKept++;
      return;
    }
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafe(Math.max(chunkBytes, length));
      this.#used = 0;
    }
    frame.copy(this.#chunk, this.#used);
    this.#entries.push({ connection, symbol, id, chunk: this.#chunk, start: this.#used, length });
    this.#used += length;
    this.#bytes += length + entryBytes;
  }

  /** What was kept up to now, in the order of sending. */
  *read(connection: number | undefined, symbol: string | undefined): Generator<SentFrame> {
    const end = this.#entries.length;
    for (const [index, entry] of this.#entries.entries()) {
      if (index === end) return;
      if (connection !== undefined && entry.connection !== connection) continue;
      if (symbol !== undefined && entry.symbol !== symbol) continue;
      const frame = entry.chunk.toString('utf8', entry.start, entry.start + entry.length);
      yield { connection: entry.connection, symbol: entry.symbol, id: entry.id, frame };
    }
  }

  state(): LedgerState {
    const framesNotKept = this.#framesNotKept;
    return { frames: this.#entries.length, bytes: this.#bytes, bytesMax: this.#bytesMax, framesNotKept };
  }

  clear(): void {
    this.#entries = [];
    this.#chunk = Buffer.alloc(0);
    this.#used = 0;
    this.#bytes = 0;
    this.#framesNotKept = 0;
  }
}
