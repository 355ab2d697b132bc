import { createRecordsBatch, NumericMap } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { type BatchIdentity, batchBytesMax, encodeRecordBatch } from '../../../worker/producer/record-batch.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 80 });

const record: fc.Arbitrary<ProducerRecord> = fc.record({
  topic: fc.constant('t'),
  key: fc.option(text),
  // Below 64 bytes, above, and above 8 KiB the record's length takes one, two and three bytes.
  value: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(9000))).map(Buffer.from),
  headers: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((all) => [...new Map(all)]),
  // The client library writes differences of 2^31 ms and more, 24 days, wrongly.
  timeMs: fc.integer({ min: 2 ** 40, max: 2 ** 40 + 2 ** 30 }),
  exchangeTimeMs: fc.constant(null),
});

/** The same batch, written by the client library. */
function written(records: ProducerRecord[], identity: BatchIdentity): Buffer {
  const messages = records.map(({ topic, key, value, headers, timeMs }) => ({
    topic,
    partition: 0,
    value,
    ...(key === null ? {} : { key: Buffer.from(key) }),
    headers: new Map(headers.map(([name, content]) => [Buffer.from(name), Buffer.from(content)])),
    timestamp: BigInt(timeMs),
  }));
  const { producerId, epoch, isTransactional, sequence } = identity;
  const sequences = new NumericMap([['t:0', sequence]]);
  const options = { producerId, producerEpoch: epoch, sequences, partitionLeaderEpoch: -1 };
  return createRecordsBatch(messages, { ...options, ...(isTransactional ? { transactionalId: 'x' } : {}) }).buffer;
}

test('a batch is, byte for byte, what the client library writes', () => {
  const identity = fc.record({
    producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    epoch: fc.integer({ min: 0, max: 2 ** 15 - 1 }),
    isTransactional: fc.boolean(),
    sequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), identity, (records, numbers) => {
      const target = Buffer.alloc(batchBytesMax(records), 0xff);
      expect(encodeRecordBatch(records, numbers, target)).toEqual(written(records, numbers));
    }),
  );
});
