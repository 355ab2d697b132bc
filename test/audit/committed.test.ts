import fc from 'fast-check';
import { expect, test } from 'vitest';
import { committed } from '../../audit/committed.ts';

const batch = (offset: number, producerId: bigint, kind: 'data' | 'end' | 'plain') => ({
  lastOffset: offset,
  producerId,
  isTransactional: kind !== 'plain',
  isControl: kind === 'end',
});

test('what is outside of transactions counts, and so do committed ones; aborted ones and their ends do not', () => {
  const batches = [
    batch(0, -1n, 'plain'),
    batch(1, 1n, 'data'),
    batch(2, 2n, 'data'),
    batch(3, 1n, 'end'),
    batch(4, 2n, 'data'),
    batch(5, 2n, 'end'),
  ];
  const seen = committed(batches, [{ producerId: 2n, firstOffset: 2 }]);
  expect(seen.map(({ lastOffset }) => lastOffset)).toEqual([0, 1]);
});

test('several aborted transactions of one producer, told in any order, and a committed one between them', () => {
  const batches = [0, 2, 4].flatMap((offset) => [batch(offset, 1n, 'data'), batch(offset + 1, 1n, 'end')]);
  const aborted = [4, 0].map((firstOffset) => ({ producerId: 1n, firstOffset }));
  expect(committed(batches, aborted).map(({ lastOffset }) => lastOffset)).toEqual([2]);
});

test('of any transactions, one after the other for each producer, exactly those that were committed are seen', () => {
  const step = fc.record({
    producer: fc.integer({ min: 1, max: 3 }),
    action: fc.constantFrom('write', 'commit', 'abort', 'plain'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const batches: ReturnType<typeof batch>[] = [];
      const open = new Map<number, number[]>();
      const aborted: { producerId: bigint; firstOffset: number }[] = [];
      const expected: number[] = [];
      for (const { producer, action } of [...steps, ...[1, 2, 3].map((it) => ({ producer: it, action: 'commit' }))]) {
        const offset = batches.length;
        const own = open.get(producer) ?? [];
        if (action === 'plain') {
          batches.push(batch(offset, -1n, 'plain'));
          expected.push(offset);
        } else if (action === 'write') {
          batches.push(batch(offset, BigInt(producer), 'data'));
          open.set(producer, [...own, offset]);
        } else if (own.length > 0) {
          batches.push(batch(offset, BigInt(producer), 'end'));
          if (action === 'commit') expected.push(...own);
          else aborted.push({ producerId: BigInt(producer), firstOffset: own[0] ?? 0 });
          open.delete(producer);
        }
      }
      const seen = committed(batches, aborted).map(({ lastOffset }) => lastOffset);
      expect(seen).toEqual(expected.sort((a, b) => a - b));
    }),
  );
});
