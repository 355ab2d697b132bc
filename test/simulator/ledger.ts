// What was sent, by connection and in order, byte for byte. Bounded: beyond the bound nothing more is kept, and every
// reader is told.
import { type FrameFaultKind, frameFaultKinds } from './frame-faults.ts';

/** Chunks are allocated whole; one is small against the bound and large against a frame. */
const chunkBytes = 1024 * 1024;
/**
 * Before each frame in its chunk: length, connection, symbol (index + 1, 0: none), each 32 bits; id as a double (NaN:
 * none); trades and fault (index + 1, 0: none), each 32 bits.
 */
const headerBytes = 28;

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
  /** How many trades it has: from `id` on, each by one; 0 for what is not a trade. */
  trades: number;
  /** The ordered fault that it met; what the client got is `frame`, whatever symbol and id say it was. */
  fault: FrameFaultKind | null;
  frame: string;
}

export class Ledger {
  #chunks: { bytes: Buffer; used: number }[] = [];
  #symbols: string[] = [];
  #symbolIndex = new Map<string, number>();
  #frames = 0;
  #bytes = 0;
  #framesNotKept = 0;
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  append(
    connection: number,
    symbol: string | null,
    id: number | null,
    trades: number,
    fault: FrameFaultKind | null,
    frame: Buffer,
  ): void {
    const size = headerBytes + frame.length;
    if (this.#framesNotKept > 0 || this.#bytes + size > this.#bytesMax) {
      this.#framesNotKept++;
      return;
    }
    let chunk = this.#chunks.at(-1);
    if (!chunk || chunk.used + size > chunk.bytes.length) {
      chunk = { bytes: Buffer.allocUnsafe(Math.max(chunkBytes, size)), used: 0 };
      this.#chunks.push(chunk);
    }
    const { bytes, used } = chunk;
    bytes.writeUInt32LE(frame.length, used);
    bytes.writeUInt32LE(connection, used + 4);
    bytes.writeUInt32LE(symbol === null ? 0 : this.#indexOf(symbol) + 1, used + 8);
    bytes.writeDoubleLE(id ?? Number.NaN, used + 12);
    bytes.writeUInt32LE(trades, used + 20);
    bytes.writeUInt32LE(fault === null ? 0 : frameFaultKinds.indexOf(fault) + 1, used + 24);
    frame.copy(bytes, used + headerBytes);
    chunk.used += size;
    this.#bytes += size;
    this.#frames++;
  }

  /** What was kept up to now, in the order of sending. */
  *read(connection: number | undefined, symbol: string | undefined): Generator<SentFrame> {
    let left = this.#frames;
    for (const { bytes, used } of [...this.#chunks]) {
      for (let at = 0; at < used && left > 0; left--) {
        const start = at + headerBytes;
        const end = start + bytes.readUInt32LE(at);
        const id = bytes.readDoubleLE(at + 12);
        const sent = {
          connection: bytes.readUInt32LE(at + 4),
          symbol: this.#symbols[bytes.readUInt32LE(at + 8) - 1] ?? null,
          id: Number.isNaN(id) ? null : id,
          trades: bytes.readUInt32LE(at + 20),
          fault: frameFaultKinds[bytes.readUInt32LE(at + 24) - 1] ?? null,
        };
        const isWanted = connection === undefined || connection === sent.connection;
        if (isWanted && (symbol === undefined || symbol === sent.symbol)) {
          yield { ...sent, frame: bytes.toString('utf8', start, end) };
        }
        at = end;
      }
    }
  }

  state(): LedgerState {
    return { frames: this.#frames, bytes: this.#bytes, bytesMax: this.#bytesMax, framesNotKept: this.#framesNotKept };
  }

  clear(): void {
    this.#chunks = [];
    this.#frames = 0;
    this.#bytes = 0;
    this.#framesNotKept = 0;
  }

  #indexOf(symbol: string): number {
    let index = this.#symbolIndex.get(symbol);
    if (index === undefined) {
      index = this.#symbols.push(symbol) - 1;
      this.#symbolIndex.set(symbol, index);
    }
    return index;
  }
}
