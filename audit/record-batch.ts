// Kafka's record batches, version 2, read back: bytes of a Fetch answer -> batches -> records. Decodes only what is
// asked for, so that reading costs less than judging. https://kafka.apache.org/documentation/#recordbatch
import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka';

export interface RecordBatch {
  firstOffset: number;
  lastOffset: number;
  producerId: bigint;
  /** Belongs to a transaction: counts only if that was committed. */
  isTransactional: boolean;
  /** The end of a transaction, not data. */
  isControl: boolean;
  /** Milliseconds since 1970. */
  firstTimeMs: number;
  /** By the broker's clock, for all records, milliseconds since 1970; null: each record has its own time. */
  appendTimeMs: number | null;
  recordCount: number;
  /** Decompressed. */
  records: Buffer;
}

export interface KafkaRecord {
  offset: number;
  /** Milliseconds since 1970. */
  timeMs: number;
  key: Buffer | null;
  value: Buffer | null;
  /** As they stand in the batch; header() reads them. */
  headers: Buffer;
}

/** First offset and length, which the length does not count. */
const preambleBytes = 12;
const headerBytes = 61;
/** The checksum covers what comes after it. */
const checksummedFrom = 21;
const readableVersion = 2;

const compressionBits = 0b111;
const appendTimeBit = 1 << 3;
const transactionalBit = 1 << 4;
const controlBit = 1 << 5;

/**
 * @param bytes of a Fetch answer; a batch that is cut off at their end is left out
 * @throws Error one sentence: a batch that is damaged or of a version that is not read here
 */
export function readBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const end = at + preambleBytes + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    batches.push(readBatch(bytes.subarray(at, end)));
    at = end;
  }
  return batches;
}

function readBatch(bytes: Buffer): RecordBatch {
  const firstOffset = Number(bytes.readBigInt64BE(0));
  const version = bytes.readInt8(16);
  if (version !== readableVersion) {
    throw new Error(`the batch at offset ${firstOffset} has version ${version}; only version 2 (Kafka 0.11) is read`);
  }
  if (crc32c(bytes.subarray(checksummedFrom)) !== bytes.readUInt32BE(17)) {
    throw new Error(`the batch at offset ${firstOffset} is damaged: its checksum does not hold`);
  }
  const attributes = bytes.readInt16BE(21);
  const records = bytes.subarray(headerBytes);
  const compression = attributes & compressionBits;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) {
    throw new Error(`the batch at offset ${firstOffset} is compressed by the unknown method ${compression}`);
  }
  return {
    firstOffset,
    lastOffset: firstOffset + bytes.readInt32BE(23),
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & transactionalBit) !== 0,
    isControl: (attributes & controlBit) !== 0,
    firstTimeMs: Number(bytes.readBigInt64BE(27)),
    appendTimeMs: (attributes & appendTimeBit) === 0 ? null : Number(bytes.readBigInt64BE(35)),
    recordCount: bytes.readInt32BE(57),
    records: compression === 0 ? records : algorithm.decompressSync(records),
  };
}

/** @throws RangeError when the records end too early */
export function readRecords({
  firstOffset,
  firstTimeMs,
  appendTimeMs,
  recordCount,
  records,
}: RecordBatch): KafkaRecord[] {
  const found: KafkaRecord[] = [];
  const numbers = new Numbers(records);
  for (let count = 0; count < recordCount; count++) {
    const bytes = numbers.next();
    const end = numbers.at + bytes;
    // Attributes: none are in use.
    numbers.at++;
    const timeMs = appendTimeMs ?? firstTimeMs + numbers.next();
    if (appendTimeMs !== null) numbers.next();
    const offset = firstOffset + numbers.next();
    const key = numbers.bytes();
    const value = numbers.bytes();
    if (numbers.at > end || end > records.length) throw new RangeError(`the record at offset ${offset} is cut off`);
    found.push({ offset, timeMs, key, value, headers: records.subarray(numbers.at, end) });
    numbers.at = end;
  }
  return found;
}

/** @returns the value of the first header of that name; null: there is none, or it has no value */
export function header({ headers }: Pick<KafkaRecord, 'headers'>, name: string): string | null {
  const numbers = new Numbers(headers);
  for (let count = numbers.next(); count > 0; count--) {
    const found = numbers.bytes();
    const value = numbers.bytes();
    // Most are told apart by their length, which is cheap.
    const isIt = found?.length === name.length && found.toString() === name;
    if (isIt) return value?.toString() ?? null;
  }
  return null;
}

/** Zigzag numbers of variable length, up to 2^53: https://kafka.apache.org/documentation/#record */
class Numbers {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): number {
    const bytes = this.#bytes;
    let low = bytes[this.at++] ?? 0;
    if (low < 0x80) return (low >>> 1) ^ -(low & 1);
    low &= 0x7f;
    let factor = 128;
    for (let byte = 0x80; byte >= 0x80; factor *= 128) {
      if (this.at >= bytes.length) throw new RangeError('a number is cut off');
      byte = bytes[this.at++] ?? 0;
      low += (byte & 0x7f) * factor;
    }
    return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.next();
    if (length < 0) return null;
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}
