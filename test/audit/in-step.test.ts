import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Part, readInStep } from '../../audit/in-step.ts';
import type { KafkaRecord } from '../../audit/record-batch.ts';

const record = (offset: number, timeMs: number): KafkaRecord => {
  return { offset, timeMs, key: null, value: null, headers: Buffer.from([0]) };
};

/** Partitions by their records' times; chunks of `chunk` records. */
async function readAll(times: readonly (readonly number[])[], chunk: number, lastMs = Number.POSITIVE_INFINITY) {
  const parts: Part<number>[] = times.map((own, source) => ({
    source,
    partition: 0,
    startOffset: 0,
    endOffset: own.length,
  }));
  const shown: [source: number, offset: number, timeMs: number][] = [];
  await readInStep({
    parts,
    read: async ({ source, endOffset }, offset) => {
      const end = Math.min(offset + chunk, endOffset);
      const records = (times[source] ?? []).slice(offset, end).map((timeMs, index) => record(offset + index, timeMs));
      return { records, nextOffset: end };
    },
    lastMs,
    onRecord: ({ source }, { offset, timeMs }) => {
      shown.push([source, offset, timeMs]);
      return undefined;
    },
  });
  return shown;
}

describe('reading in step', () => {
  test('goes by time over all partitions', async () => {
    const shown = await readAll([[1, 5, 7, 9], [2, 6], [], [3, 8]], 2);
    expect(shown.map(([source, , timeMs]) => `${source}:${timeMs}`)).toEqual([
      '0:1',
      '1:2',
      '3:3',
      '0:5',
      '1:6',
      '0:7',
      '3:8',
      '0:9',
    ]);
  });

  test('shows every record once, each partition in its order, whatever the times', async () => {
    const times = fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 12 }), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(times, fc.integer({ min: 1, max: 4 }), async (partitions, chunk) => {
        const shown = await readAll(partitions, chunk);
        for (const [source, own] of partitions.entries()) {
          const offsets = shown.filter(([from]) => from === source).map(([, offset]) => offset);
          expect(offsets).toEqual(own.map((_, offset) => offset));
        }
      }),
    );
  });

  test('ends each partition at the first record that is late enough', async () => {
    const shown = await readAll(
      [
        [1, 5, 2],
        [4, 4, 6],
      ],
      1,
      5,
    );
    expect(shown.map(([source, offset]) => [source, offset])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
  });

  test('waits for what a record needs before it goes on', async () => {
    const order: string[] = [];
    await readInStep({
      parts: [{ source: 'a', partition: 0, startOffset: 0, endOffset: 2 }],
      read: async () => ({ records: [record(0, 1), record(1, 2)], nextOffset: 2 }),
      lastMs: Number.POSITIVE_INFINITY,
      onRecord: (_, { offset }) => {
        order.push(`begin ${offset}`);
        return Promise.resolve().then(() => void order.push(`end ${offset}`));
      },
    });
    expect(order).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1']);
  });

  test('ends with the error of a read that fails, also of one that was under way', async () => {
    const read = async (_: Part<string>, offset: number) => {
      if (offset > 0) throw new Error('the broker is gone');
      return { records: [record(0, 1)], nextOffset: 1 };
    };
    const parts = ['a', 'b'].map((source) => ({ source, partition: 0, startOffset: 0, endOffset: 9 }));
    const reading = readInStep({ parts, read, lastMs: Number.POSITIVE_INFINITY, onRecord: () => undefined });
    await expect(reading).rejects.toThrow('the broker is gone');
  });
});
