import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Continuity, gapsMax, lostMax, RecentIds, recentIdsMax, recentTradesOf } from '../../worker/continuity.ts';

const timeOf = (id: bigint) => 1_700_000_000_000 + Number(id);
const take = (continuity: Continuity, ...ids: number[]) =>
  ids.map((id) => continuity.take(BigInt(id), timeOf(BigInt(id)), 0));
const ranges = (list: readonly { firstId: bigint; lastId: bigint }[]) =>
  list.map(({ firstId, lastId }) => [Number(firstId), Number(lastId)]);

describe('an id is', () => {
  test('next when it follows the newest, and the first one whatever it is', () => {
    expect(take(new Continuity(), 7, 8, 9)).toEqual(['next', 'next', 'next']);
  });

  test('behind a gap when it jumps; the gap has the bounds of what is missing', () => {
    const continuity = new Continuity();
    expect(take(continuity, 7, 11)).toEqual(['next', 'gap']);
    expect(ranges(continuity.gaps())).toEqual([[8, 10]]);
    expect(continuity.gaps()[0]?.afterTimeMs).toBe(timeOf(7n));
  });

  test('out of order when it was missing, and takes itself out of the gap', () => {
    const continuity = new Continuity();
    take(continuity, 1, 10);
    expect(take(continuity, 5)).toEqual(['out-of-order']);
    expect(ranges(continuity.gaps())).toEqual([
      [2, 4],
      [6, 9],
    ]);
  });

  test('a duplicate when it was written, and counted', () => {
    const continuity = new Continuity();
    expect(take(continuity, 1, 2, 3, 2, 3)).toEqual(['next', 'next', 'next', 'duplicate', 'duplicate']);
    expect([continuity.written, continuity.duplicates]).toEqual([3, 2]);
  });

  test('out of order before the first that was seen, with the gap between', () => {
    const continuity = new Continuity();
    expect(take(continuity, 10, 7)).toEqual(['next', 'out-of-order']);
    expect(ranges(continuity.gaps())).toEqual([[8, 9]]);
  });

  test('a reset when it is low and later than anything written; open gaps are lost then, and named', () => {
    const continuity = new Continuity();
    take(continuity, 500_000, 500_010);
    expect(continuity.take(1n, timeOf(500_011n), 0)).toBe('reset');
    expect(continuity.take(2n, timeOf(500_012n), 0)).toBe('next');
    expect(continuity.gaps()).toEqual([]);
    expect(continuity.lost()).toEqual([
      { firstId: 500_001n, lastId: 500_009n, missing: 9n, why: 'ids began anew at 1', timeMs: timeOf(500_000n) },
    ]);
  });

  test('no reset when its time differs by rounding only', () => {
    const continuity = new Continuity();
    take(continuity, 1, 2);
    expect(continuity.take(2n, timeOf(2n) + 1, 0)).toBe('duplicate');
  });
});

describe('after a restart', () => {
  test('what was written is a duplicate, what came since is a gap, and old gaps are open again', () => {
    const continuity = new Continuity();
    const gaps = [{ firstId: 50n, lastId: 52n, afterTimeMs: 7 }];
    continuity.resume({ lastId: 100n, timeMs: timeOf(100n), gaps, lost: [], resetTimeMs: null }, 0);
    expect(take(continuity, 99, 51, 110)).toEqual(['duplicate', 'out-of-order', 'gap']);
    expect(ranges(continuity.gaps())).toEqual([
      [50, 50],
      [52, 52],
      [101, 109],
    ]);
  });
});

describe('a cursor', () => {
  const resumed = (from: Continuity) => {
    const cursor = from.cursor();
    if (cursor === null) throw new Error('there is no cursor');
    const continuity = new Continuity();
    continuity.resume(cursor, 0);
    return continuity;
  };

  test('is not there before the first trade', () => {
    expect(new Continuity().cursor()).toBeNull();
  });

  test('holds all that must survive: the newest, what is missing, what is lost, and the counts', () => {
    const continuity = new Continuity();
    take(continuity, 1, 5, 9);
    const [gap] = continuity.gaps();
    if (gap) continuity.giveUp(gap, 'too old');
    const gaps = [{ firstId: 6n, lastId: 8n, afterTimeMs: timeOf(5n) }];
    const lost = [{ firstId: 2n, lastId: 4n, missing: 3n, why: 'too old', timeMs: timeOf(1n) }];
    const counts = { written: 3, repaired: 0, duplicates: 0, sinceMs: timeOf(1n) };
    expect(continuity.cursor()).toEqual({ lastId: 9n, timeMs: timeOf(9n), gaps, lost, resetTimeMs: null, counts });
    expect(resumed(continuity).cursor()).toEqual(continuity.cursor());
  });

  test('has moved by what is written, filled, settled or given up, and by nothing else', () => {
    const continuity = new Continuity();
    const moves = (does: () => void): boolean => {
      continuity.hasMoved = false;
      does();
      return continuity.hasMoved;
    };
    expect(moves(() => take(continuity, 1, 9))).toBe(true);
    expect(moves(() => take(continuity, 9))).toBe(false);
    expect(moves(() => continuity.fill(1n, timeOf(1n), 0))).toBe(false);
    expect(moves(() => continuity.settle({ firstId: 20n, lastId: 21n }, 0))).toBe(false);
    expect(moves(() => continuity.fill(2n, timeOf(2n), 0))).toBe(true);
    expect(moves(() => continuity.settle({ firstId: 3n, lastId: 4n }, timeOf(4n)))).toBe(true);
    const [gap] = continuity.gaps();
    expect(moves(() => gap && continuity.giveUp(gap, 'too old'))).toBe(true);
  });

  test('of ids that began anew keeps what a standby has read of the ids before from being written again', () => {
    const continuity = new Continuity();
    take(continuity, 500_000, 500_001);
    continuity.take(1n, timeOf(500_002n), 0);
    for (const each of [continuity, resumed(continuity)]) {
      expect(take(each, 500_000, 500_001)).toEqual(['duplicate', 'duplicate']);
      expect(each.fill(500_001n, timeOf(500_001n), 0)).toBe(false);
      expect(each.take(2n, timeOf(500_003n), 0)).toBe('next');
    }
  });

  test('with more gaps than there may be loses none of their trades', () => {
    const gaps = Array.from({ length: gapsMax + 5 }, (_, n) => {
      return { firstId: BigInt(2 * n), lastId: BigInt(2 * n), afterTimeMs: n };
    });
    const continuity = new Continuity();
    continuity.resume({ lastId: 10_000n, timeMs: 1, gaps, lost: [], resetTimeMs: null }, 0);
    expect([continuity.gaps().length, continuity.lost().length]).toEqual([gapsMax, 5]);
  });
});

describe('REST', () => {
  test('fills what is missing, and nothing else', () => {
    const continuity = new Continuity();
    take(continuity, 1, 5);
    expect([0n, 1n, 2n, 3n, 3n].map((id) => continuity.fill(id, timeOf(id), 0))).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(ranges(continuity.gaps())).toEqual([[4, 4]]);
    expect(continuity.repaired).toBe(2);
  });

  test('proves that ids do not exist where it shows their neighbours', () => {
    const continuity = new Continuity();
    take(continuity, 1, 5, 9);
    continuity.settle({ firstId: 1n, lastId: 7n }, timeOf(7n));
    expect(ranges(continuity.gaps())).toEqual([[8, 8]]);
    expect(continuity.gaps()[0]?.afterTimeMs).toBe(timeOf(7n));
  });

  test('that does not have them leaves them lost, with bounds', () => {
    const continuity = new Continuity();
    take(continuity, 1, 5);
    const [gap] = continuity.gaps();
    if (gap) continuity.giveUp(gap, 'too old');
    expect(continuity.gaps()).toEqual([]);
    expect(continuity.lost()).toEqual([{ firstId: 2n, lastId: 4n, missing: 3n, why: 'too old', timeMs: timeOf(1n) }]);
  });
});

test('gaps are bounded, and the sum of what is lost stays exact', () => {
  const continuity = new Continuity();
  const count = gapsMax + lostMax + 50;
  for (let n = 0; n <= count; n++) take(continuity, 2 * n);
  expect([continuity.gaps().length, continuity.lost().length]).toEqual([gapsMax, lostMax]);
  const missing = continuity.lost().reduce((sum, lost) => sum + lost.missing, 0n) + BigInt(gapsMax);
  expect(missing).toBe(BigInt(count));
});

test('any interleaving of live, doubled, dropped, back-filled trades gives each once, or names the gap', () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 60 }),
    way: fc.constantFrom('live', 'live', 'live', 'rest'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, isRepaired) => {
      const continuity = new Continuity();
      const written: number[] = [];
      for (const { id, way } of steps) {
        const isNew =
          way === 'live' ? take(continuity, id)[0] !== 'duplicate' : continuity.fill(BigInt(id), timeOf(BigInt(id)), 0);
        if (isNew) written.push(id);
      }
      if (isRepaired) {
        const missing = continuity.gaps().flatMap(({ firstId, lastId }) => idsOf(Number(firstId), Number(lastId)));
        for (const id of missing) if (continuity.fill(BigInt(id), timeOf(BigInt(id)), 0)) written.push(id);
        expect(continuity.gaps()).toEqual([]);
      }
      expect(new Set(written).size).toBe(written.length);
      const named = continuity.gaps().flatMap(({ firstId, lastId }) => idsOf(Number(firstId), Number(lastId)));
      const covered = written.length === 0 ? [] : idsOf(Math.min(...written), Math.max(...written));
      expect([...written, ...named].sort((a, b) => a - b)).toEqual(covered);
    }),
    { numRuns: 2000 },
  );
});

const idsOf = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('where ids prove nothing', () => {
  test('an id is remembered for a while', () => {
    const recent = new RecentIds();
    expect([recent.take('a', 1), recent.take('a', 1), recent.duplicates]).toEqual([true, false, 1]);
    for (let n = 0; n < recentIdsMax; n++) recent.take(String(n), 1);
    expect(recent.take('a', 1)).toBe(true);
  });

  test('what another worker wrote is not written again, also where it is too much to remember', () => {
    const trades = Array.from({ length: 2 * recentIdsMax }, (_, n) => ({ tradeId: String(n), exchangeTimeMs: n >> 2 }));
    const recent = new RecentIds();
    recent.resume(recentTradesOf(trades));
    expect(trades.filter(({ tradeId, exchangeTimeMs }) => recent.take(tradeId, exchangeTimeMs))).toEqual([]);
    expect(recent.take('new', recentIdsMax >> 1)).toBe(true);
  });

  test('a trade of the millisecond in which the last one was written is written, too', () => {
    const recent = new RecentIds();
    recent.resume(recentTradesOf([{ tradeId: 'a', exchangeTimeMs: 7 }]));
    expect([recent.take('a', 7), recent.take('b', 7), recent.take('before', 6)]).toEqual([false, true, false]);
  });
});
