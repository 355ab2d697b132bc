import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeenIds } from './seen-ids.ts';

function seen(...ids: number[]): SeenIds {
  const all = new SeenIds();
  for (const id of ids) all.add(BigInt(id));
  return all;
}

test('an id is new once, in whatever order ids come', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 40n })), (ids) => {
      const all = new SeenIds();
      const known = new Set<bigint>();
      for (const id of ids) {
        expect(all.add(id)).toBe(!known.has(id));
        known.add(id);
      }
    }),
  );
});

test('holes are what is missing between the first and the last', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1 }), (ids) => {
      const [low, high] = [Math.min(...ids), Math.max(...ids)];
      const missing = Array.from({ length: high - low + 1 }, (_, at) => low + at).filter((id) => !ids.includes(id));
      const told = seen(...ids)
        .holes()
        .flatMap((hole) => {
          const [from = 0, to = from] = hole.split(' to ').map(Number);
          return Array.from({ length: to - from + 1 }, (_, at) => from + at);
        });
      expect(told).toEqual(missing);
    }),
  );
});

test('a hole is told by its first and last id', () => {
  expect(seen(1, 2, 4, 8).holes()).toEqual(['3', '5 to 7']);
  expect(seen(1, 2, 4, 3).holes()).toEqual([]);
});
