import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { partitionHash } from '../../../worker/producer/partition.ts';

// kafkajs' default partitioner is documented as compatible with Java's: https://kafka.js.org/docs/producing#default-partitioners
const kafkajs = Partitioners.DefaultPartitioner();

function partitionByKafkajs(key: Buffer, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return kafkajs({ topic: 't', partitionMetadata, message: { key, value: null } });
}

describe('partitionHash', () => {
  test('puts any key where kafkajs puts it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 70 }),
        fc.integer({ min: 1, max: 500 }),
        (bytes, partitions) => {
          const key = Buffer.from(bytes);
          expect(partitionHash(key) % partitions).toBe(partitionByKafkajs(key, partitions));
        },
      ),
      { numRuns: 2000 },
    );
  });

  // From Kafka's own UtilsTest.testMurmur2, as positive numbers.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (key, hash) => {
    expect(partitionHash(Buffer.from(key))).toBe(hash & 0x7fffffff);
  });
});
