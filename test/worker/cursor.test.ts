import { describe, expect, test } from 'vitest';
import { cursorOf, type WrittenTrade } from '../../worker/cursor.ts';

const live = (...ids: number[]): WrittenTrade[] =>
  ids.map((id) => ({ id: BigInt(id), exchangeTimeMs: 1000 + id, isBackfilled: false }));
const backfilled = (...ids: number[]): WrittenTrade[] =>
  live(...ids).map((trade) => ({ ...trade, isBackfilled: true }));

describe('where to resume is read from what the topic holds', () => {
  test('the greatest id and the latest time', () => {
    expect(cursorOf(live(5, 6, 7))).toEqual({ lastId: 7n, timeMs: 1007, gaps: [], lost: [], resetTimeMs: null });
  });

  test('holes between live trades are gaps, with the time before each', () => {
    expect(cursorOf(live(5, 6, 9, 12))).toEqual({
      lastId: 12n,
      timeMs: 1012,
      gaps: [
        { firstId: 7n, lastId: 8n, afterTimeMs: 1006 },
        { firstId: 10n, lastId: 11n, afterTimeMs: 1009 },
      ],
      lost: [],
      resetTimeMs: null,
    });
  });

  test('back-filled trades close them, wherever they stand', () => {
    expect(cursorOf([...live(5, 9, 10), ...backfilled(8, 6, 7)])?.gaps).toEqual([]);
    expect(cursorOf([...live(5, 9, 10), ...backfilled(6)])?.gaps).toEqual([
      { firstId: 7n, lastId: 8n, afterTimeMs: 1006 },
    ]);
  });

  test('a back-filled trade from before all live ones opens no gap: what lies between was read too long ago', () => {
    expect(cursorOf([...backfilled(2), ...live(9, 10)])?.gaps).toEqual([]);
  });

  test('back-filled trades alone tell how far, and no gap', () => {
    expect(cursorOf(backfilled(2, 9))).toEqual({ lastId: 9n, timeMs: 1009, gaps: [], lost: [], resetTimeMs: null });
  });

  test('nothing from nothing', () => {
    expect(cursorOf([])).toBeUndefined();
  });
});
