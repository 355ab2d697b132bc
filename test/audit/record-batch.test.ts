import { createRecordsBatch } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import { header, readBatches, readRecords } from '../../audit/record-batch.ts';
import type { ProducerRecord } from '../../worker/producer/producer.ts';
import { batchBytesMax, encodeRecordBatch } from '../../worker/producer/record-batch.ts';

const timeMs = 1_732_438_800_000;
const record = (index: number, more: Partial<ProducerRecord> = {}): ProducerRecord => ({
  topic: 'trades',
  key: `KEY${index}`,
  value: Buffer.from(`value ${index} ${'x'.repeat(index * 40)}`),
  headers: [
    ['k2-connection', `connection-${index}`],
    ['k2-received-us', `${timeMs + index}000`],
  ],
  timeMs: timeMs + index * 500,
  exchangeTimeMs: null,
  ...more,
});

function batchOf(records: readonly ProducerRecord[], firstOffset: number): Buffer {
  const identity = { producerId: 7n, epoch: 1, sequence: 0, isTransactional: true };
  const bytes = encodeRecordBatch(records, identity, Buffer.alloc(batchBytesMax(records)));
  // As the broker does; the checksum leaves it out.
  bytes.writeBigInt64BE(BigInt(firstOffset), 0);
  return bytes;
}

describe('record batches', () => {
  const records = [
    record(0),
    record(1, { key: null, headers: [] }),
    record(200),
    record(3, { timeMs: timeMs - 70_000 }),
  ];

  test('come back record by record, with offsets, times, keys, values and headers', () => {
    const batches = readBatches(Buffer.concat([batchOf(records, 40), batchOf(records.slice(0, 1), 44)]));
    expect(batches.map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset])).toEqual([
      [40, 43],
      [44, 44],
    ]);
    expect(batches[0]).toMatchObject({ producerId: 7n, isTransactional: true, isControl: false });
    const read = batches.flatMap(readRecords);
    expect(read.map(({ offset }) => offset)).toEqual([40, 41, 42, 43, 44]);
    expect(
      read.slice(0, 4).map((one) => ({ key: one.key?.toString() ?? null, value: one.value, timeMs: one.timeMs })),
    ).toEqual(records.map(({ key, value, timeMs }) => ({ key, value, timeMs })));
    expect(read.map((one) => header(one, 'k2-received-us'))).toEqual(
      [0, null, 200, 3, 0].map((it) => (it === null ? null : `${timeMs + it}000`)),
    );
    expect(header(read[0] ?? { headers: Buffer.from([0]) }, 'k2-source')).toBeNull();
  });

  test('that are cut off at the end of an answer are left out', () => {
    const bytes = Buffer.concat([batchOf(records, 0), batchOf(records, 4)]);
    for (const cut of [1, 100, batchOf(records, 4).length - 1]) {
      expect(readBatches(bytes.subarray(0, bytes.length - cut))).toHaveLength(1);
    }
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('compressed by %s are read, too', (compression) => {
    const messages = [1, 2, 3].map((index) => ({
      topic: 'trades',
      partition: 0,
      key: Buffer.from(`key ${index}`),
      value: Buffer.from('value '.repeat(100)),
      timestamp: BigInt(timeMs),
      headers: new Map(),
    }));
    const bytes = createRecordsBatch(messages, { compression, transactionalId: 'a' }).dynamicBuffer.buffer;
    const [batch] = readBatches(bytes);
    expect(batch?.isTransactional).toBe(true);
    const read = batch === undefined ? [] : readRecords(batch);
    expect(read.map(({ key, value }) => [String(key), value?.length])).toEqual(
      [1, 2, 3].map((it) => [`key ${it}`, 600]),
    );
  });

  test('one bit of which has changed are refused', () => {
    const bytes = batchOf(records, 40);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    expect(() => readBatches(bytes)).toThrow('the batch at offset 40 is damaged: its checksum does not hold');
  });

  test('of an older version are refused', () => {
    const bytes = batchOf(records, 40);
    bytes[16] = 1;
    expect(() => readBatches(bytes)).toThrow('has version 1');
  });

  test('whose topic has times by the broker give that time to all records', () => {
    const bytes = batchOf(records, 0);
    const [batch] = readBatches(bytes);
    if (batch === undefined) throw new Error('no batch');
    expect(readRecords({ ...batch, appendTimeMs: 5 }).map((one) => one.timeMs)).toEqual([5, 5, 5, 5]);
    expect(readRecords({ ...batch, appendTimeMs: 5 }).map((one) => one.offset)).toEqual([0, 1, 2, 3]);
  });
});
