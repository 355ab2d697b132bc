import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spread } from '../../controller/shards.ts';

const symbolLists = fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,6}$/), { minLength: 2, maxLength: 40 });
/** A list of symbols, and a number of shards that one more would still leave possible. */
const cases = symbolLists.chain((symbols) =>
  fc.tuple(fc.constant(symbols), fc.integer({ min: 1, max: Math.min(symbols.length - 1, 15) })),
);
const shardOf = (groups: string[][], symbol: string) => groups.findIndex((group) => group.includes(symbol));

describe('symbols', () => {
  test('are each on one shard, and no shard is without any', () => {
    fc.assert(
      fc.property(cases, ([symbols, shards]) => {
        const groups = spread(symbols, shards);
        expect(groups).toHaveLength(shards);
        expect(groups.flat().sort()).toEqual(symbols.toSorted());
        expect(groups.every(({ length }) => length > 0)).toBe(true);
      }),
    );
  });

  test('move to the new shard only when there is one more, and from the last one only when there is one less', () => {
    fc.assert(
      fc.property(cases, ([symbols, shards]) => {
        const fewer = spread(symbols, shards);
        const more = spread(symbols, shards + 1);
        for (const symbol of symbols) {
          expect([shardOf(fewer, symbol), shards]).toContain(shardOf(more, symbol));
        }
      }),
    );
  });

  test('are spread in the same way whatever their order', () => {
    fc.assert(
      fc.property(cases, ([symbols, shards]) => {
        expect(spread(symbols.toReversed(), shards)).toEqual(spread(symbols, shards));
      }),
    );
  });

  const many = Array.from({ length: 200 }, (_, index) => `S${index}`);

  test('stay where they are when another one comes or goes', () => {
    const before = spread(many, 4);
    const after = spread([...many, 'NEW'], 4);
    for (const symbol of many) expect(shardOf(after, symbol)).toBe(shardOf(before, symbol));
  });

  test('are spread about evenly', () => {
    for (const { length } of spread(many, 4)) {
      expect(length).toBeGreaterThan(30);
      expect(length).toBeLessThan(70);
    }
  });

  test('are where they have been since the first version: a shard that changed hands would be a hand-over', () => {
    expect(spread(['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT'], 3)).toEqual([
      ['BNBUSDT', 'BTCUSDT', 'XRPUSDT'],
      ['ETHUSDT'],
      ['ADAUSDT', 'SOLUSDT'],
    ]);
  });

  test('cannot be on more shards than there are symbols', () => {
    expect(spread(['A', 'B'], 2).flat().sort()).toEqual(['A', 'B']);
    expect(() => spread(['A', 'B'], 3)).toThrow('shards is 3, and the number of symbols is 2: each shard needs one');
  });
});
