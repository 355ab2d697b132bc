import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdRanges, RecentIds, rangesMax, recentIdsMin } from '../../audit/trade-ids.ts';

describe('ranges of ids', () => {
  test('tell of any ids, in any order, which were there and which are missing', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 80 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 0, max: 60 }), (given, from) => {
        const ranges = new IdRanges();
        const known = new Set<number>();
        for (const id of given) {
          expect(ranges.add(BigInt(id))).toBe(!known.has(id));
          known.add(id);
        }
        const [first, last] = [Math.min(...known), Math.max(...known)];
        expect([ranges.first(), ranges.last()]).toEqual(
          known.size === 0 ? [null, null] : [BigInt(first), BigInt(last)],
        );
        const missing = Array.from({ length: 61 }, (_, id) => id).filter(
          (id) => id >= from && id > first && id < last && !known.has(id),
        );
        const told = ranges
          .holes(BigInt(from))
          .flatMap(({ firstId, lastId }) =>
            Array.from({ length: Number(lastId - firstId) + 1 }, (_, index) => Number(firstId) + index),
          );
        expect(told).toEqual(missing);
      }),
    );
  });

  test('give up where every second id is missing, and say so', () => {
    const ranges = new IdRanges();
    for (let id = 0n; id <= rangesMax; id++) ranges.add(id * 2n);
    expect(ranges.isFull()).toBe(true);
    expect(ranges.add(10n ** 20n)).toBe(true);
    expect(ranges.last()).toBe(BigInt(rangesMax) * 2n);
  });
});

test('of ids that prove nothing, the newest are known, and old ones are forgotten', () => {
  const recent = new RecentIds();
  for (let id = 0; id < 3 * recentIdsMin; id++) expect(recent.add(String(id))).toBe(true);
  expect(recent.add(String(2 * recentIdsMin))).toBe(false);
  expect(recent.add('0')).toBe(true);
});
