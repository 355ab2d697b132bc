// The port to Kafka: what the feed needs of a producer, whichever client does it.

export interface ProducerRecord {
  topic: string;
  /** Decides the partition as Java's default partitioner does; null: partition 0. */
  key: string | null;
  value: Buffer;
  headers: readonly (readonly [name: string, value: string])[];
  /** The record's time, milliseconds since 1970. */
  timeMs: number;
  /** Exchange time of what the record holds, milliseconds since 1970. Not sent: it comes back in onDelivered. */
  exchangeTimeMs: number | null;
}

export interface ProducerEvents {
  /** The broker has acknowledged these records. */
  onDelivered(records: readonly ProducerRecord[]): void;
  /** A request failed and will be repeated; `why` is one sentence. */
  onRetry(why: string): void;
}

export interface Producer {
  /**
   * Takes a record into the buffer; order per key is kept.
   * @returns false when the buffer is full: this record is taken all the same, but stop reading and await room()
   */
  append(record: ProducerRecord): boolean;
  /** Resolves once the buffer is at most half full; at once where it is. */
  room(): Promise<void>;
  /** Records taken and not yet acknowledged. */
  buffered(): { records: number; bytes: number };
  /**
   * Waits until everything is acknowledged, or for so many milliseconds.
   * @returns how many records are not acknowledged
   */
  flush(waitMsMax: number): Promise<number>;
  close(): Promise<void>;
}
