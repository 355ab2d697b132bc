// Partitions of several topics, read side by side in the order of their records' times: what was written together is
// seen together, whichever partitions it stands in, so that little has to be held until its other half comes. Records
// of one time come in any order.
import type { Chunk } from './broker.ts';
import type { KafkaRecord } from './record-batch.ts';

export interface Part<Source> {
  source: Source;
  partition: number;
  startOffset: number;
  /** Not read any more. */
  endOffset: number;
}

export interface InStepOptions<Source> {
  parts: readonly Part<Source>[];
  read: (part: Part<Source>, offset: number) => Promise<Chunk>;
  /** A partition is read no further than the first record of this time or later, milliseconds since 1970. */
  lastMs: number;
  /** A promise is waited for before anything else is read. */
  onRecord: (part: Part<Source>, record: KafkaRecord) => Promise<void> | undefined;
}

export async function readInStep<Source>({ parts, read, lastMs, onRecord }: InStepOptions<Source>): Promise<void> {
  let streams = parts.map((part) => new Stream(part, read, lastMs));
  while (streams.length > 0) {
    for (const stream of streams) if (stream.head === null) await stream.fill();
    streams = streams.filter((stream) => stream.head !== null);
    const [first, secondMs] = earliest(streams);
    if (first === undefined) return;
    for (let { head } = first; head !== null && head.timeMs <= secondMs; head = first.head) {
      first.shift();
      const pending = onRecord(first.part, head);
      if (pending !== undefined) await pending;
    }
  }
}

/** The stream whose next record is the earliest, and the time of the next one of all others. */
function earliest<Source>(streams: readonly Stream<Source>[]): [first: Stream<Source> | undefined, secondMs: number] {
  let first: Stream<Source> | undefined;
  let firstMs = Number.POSITIVE_INFINITY;
  let secondMs = Number.POSITIVE_INFINITY;
  for (const stream of streams) {
    const timeMs = stream.head?.timeMs ?? Number.POSITIVE_INFINITY;
    if (first === undefined || timeMs < firstMs) {
      secondMs = firstMs;
      first = stream;
      firstMs = timeMs;
    } else if (timeMs < secondMs) {
      secondMs = timeMs;
    }
  }
  return [first, secondMs];
}

/** One partition; while a chunk of it is looked at, the next one is on its way. */
class Stream<Source> {
  readonly part: Part<Source>;
  readonly #read: InStepOptions<Source>['read'];
  readonly #lastMs: number;
  #records: KafkaRecord[] = [];
  #at = 0;
  #nextOffset: number;
  #coming: Promise<Chunk> | null = null;
  /** The next record; null: fill() has to be called, or there is none any more. */
  head: KafkaRecord | null = null;

  constructor(part: Part<Source>, read: InStepOptions<Source>['read'], lastMs: number) {
    this.part = part;
    this.#read = read;
    this.#lastMs = lastMs;
    this.#nextOffset = part.startOffset;
  }

  async fill(): Promise<void> {
    while (this.#records.length === 0 && this.#nextOffset < this.part.endOffset) {
      this.#coming ??= this.#read(this.part, this.#nextOffset);
      const { records, nextOffset } = await this.#coming;
      this.#records = records;
      this.#nextOffset = nextOffset;
      this.#coming = nextOffset < this.part.endOffset ? this.#read(this.part, nextOffset) : null;
      // Whoever awaits it later hears of its failure; until then it is not unhandled.
      this.#coming?.catch(() => {});
    }
    this.#at = -1;
    this.shift();
  }

  shift(): void {
    const record = this.#records[++this.#at] ?? null;
    if (record !== null && record.timeMs >= this.#lastMs) this.#nextOffset = this.part.endOffset;
    this.head = record !== null && record.timeMs < this.#lastMs ? record : null;
    if (this.head === null) this.#records = [];
  }
}
