// Records -> Kafka's record batch, version 2, uncompressed: the unit that a broker stores and checks for repeats.
// https://kafka.apache.org/documentation/#recordbatch
import { crc32c } from '@platformatic/kafka';
import { longBytesMax, textBytesMax, writeLong, writeText } from '../bytes.ts';
import type { ProducerRecord } from './producer.ts';

/** Who writes a batch; of one producer id, the greatest epoch. */
export interface Writer {
  producerId: bigint;
  epoch: number;
  /** The batch is part of his open transaction. */
  isTransactional: boolean;
}

/** Where a batch stands among its writer's of this partition: by this a broker knows a repeat. */
export interface BatchIdentity extends Writer {
  /** Number of the batch's first record; counts from 0 for each epoch. */
  sequence: number;
}

const headerBytes = 61;
/** The checksum covers what comes after it. */
const checksummedFrom = 21;

/** Of the batch's attributes; uncompressed, with the time that the producer gives, is 0. */
const transactionalAttribute = 0x10;

/** Between 64 bytes and 8 KiB, the length of a record takes this; a record of another length is written twice. */
const usualLengthBytes = 2;

/** No record takes more. */
export function recordBytesMax({ key, value, headers }: ProducerRecord): number {
  // Its attributes, and six numbers: lengths of itself, key and value, both differences, number of headers.
  let bytes = 1 + 6 * longBytesMax + value.length;
  if (key !== null) bytes += textBytesMax(key);
  for (const [name, text] of headers) bytes += textBytesMax(name) + textBytesMax(text);
  return bytes;
}

/** No batch of these records takes more. */
export const batchBytesMax = (records: readonly ProducerRecord[]) =>
  records.reduce((sum, record) => sum + recordBytesMax(record), headerBytes);

/**
 * @param records at least one
 * @param target at least batchBytesMax(records) long
 * @returns the batch's bytes, a part of target
 */
export function encodeRecordBatch(
  records: readonly ProducerRecord[],
  { producerId, epoch, isTransactional, sequence }: BatchIdentity,
  target: Buffer,
): Buffer {
  const firstMs = records[0]?.timeMs ?? 0;
  let lastMs = firstMs;
  let end = headerBytes;
  let offset = 0;
  for (const record of records) {
    end = writeRecord(target, end, record, record.timeMs - firstMs, offset++);
    if (record.timeMs > lastMs) lastMs = record.timeMs;
  }
  const leaderEpochUnknown = -1;
  const version = 2;
  target.writeBigInt64BE(0n, 0);
  target.writeInt32BE(end - 12, 8);
  target.writeInt32BE(leaderEpochUnknown, 12);
  target.writeInt8(version, 16);
  target.writeInt16BE(isTransactional ? transactionalAttribute : 0, 21);
  target.writeInt32BE(records.length - 1, 23);
  target.writeBigInt64BE(BigInt(firstMs), 27);
  target.writeBigInt64BE(BigInt(lastMs), 35);
  target.writeBigInt64BE(producerId, 43);
  target.writeInt16BE(epoch, 51);
  target.writeInt32BE(sequence, 53);
  target.writeInt32BE(records.length, 57);
  target.writeUInt32BE(crc32c(target.subarray(checksummedFrom, end)), 17);
  return target.subarray(0, end);
}

function writeRecord(target: Buffer, start: number, record: ProducerRecord, ageMs: number, offset: number): number {
  const body = start + usualLengthBytes;
  const end = writeBody(target, body, record, ageMs, offset);
  const afterLength = writeLong(target, start, end - body);
  if (afterLength === body) return end;
  // A longer one is written over the body's first byte.
  return writeBody(target, afterLength, record, ageMs, offset);
}

function writeBody(target: Buffer, start: number, record: ProducerRecord, ageMs: number, offset: number): number {
  const { key, value, headers } = record;
  target[start] = 0;
  let at = writeLong(target, start + 1, ageMs);
  at = writeLong(target, at, offset);
  at = key === null ? writeLong(target, at, -1) : writeText(target, at, key);
  at = writeLong(target, at, value.length);
  target.set(value, at);
  at = writeLong(target, at + value.length, headers.length);
  for (const [name, text] of headers) at = writeText(target, writeText(target, at, name), text);
  return at;
}
