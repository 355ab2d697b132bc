import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Totals } from '../../controller/completeness.ts';
import { hourAfter, hourShare, type LastHour, sinceStartShare } from '../../controller/last-hour.ts';

const minuteMs = 60_000;
const startMs = Date.parse('2026-01-01T00:00:00Z');
const longAgoMs = startMs - 100 * 3_600_000;
const totals = (written: number, missing = 0, open = 0, sinceMs: number | null = longAgoMs): Totals => {
  const others = { repaired: 0, duplicates: 0, gaps: open };
  return { written, missing, open, sinceMs, ...others, isProvable: true, isWhole: true };
};
const at = (minute: number) => ({ monotonicMs: minute * minuteMs, nowMs: startMs + minute * minuteMs });

/** Reads totals at minutes, one after the other; the share of the last hour after the last one. */
function readAll(readings: [minute: number, ...counts: Parameters<typeof totals>][], known?: string) {
  let hour: LastHour | null = null;
  let share: number | null = null;
  for (const [minute, ...counts] of readings) {
    hour = hourAfter(hour, totals(...counts), known, at(minute));
    share = hour && hourShare(hour, totals(...counts), minute * minuteMs);
  }
  if (hour === null) throw new Error('nothing was read');
  return { hour, share };
}

describe('the share of the last hour', () => {
  test('is that of the trades made in it, rounded down, whatever was missing before', () => {
    expect(
      readAll([
        [0, 1_000_000, 500],
        [1, 1_000_999, 501],
      ]).share,
    ).toBe(99.9);
    expect(
      readAll([
        [0, 1_000_000, 500],
        [1, 1_100_000, 501],
      ]).share,
    ).toBe(99.99);
    expect(
      readAll([
        [0, 1_000_000, 500],
        [1, 1_000_001, 500],
      ]).share,
    ).toBe(100);
  });

  test('forgets what is more than an hour old, and five minutes', () => {
    const lossy: [number, number, number][] = [
      [0, 1000, 0],
      [5, 1900, 100],
    ];
    const quiet = (until: number) =>
      Array.from({ length: until - 5 }, (_, index): [number, number, number] => [index + 6, 1900 + index, 100]);
    expect(readAll([...lossy, ...quiet(59)]).share).toBeLessThan(100);
    expect(readAll([...lossy, ...quiet(70)]).share).toBe(100);
  });

  test('of a feed that began within the hour counts from its first trade', () => {
    expect(readAll([[0, 90, 10, 0, startMs]]).share).toBe(90);
  });

  test('is not known before the second reading, nor before the first trade', () => {
    expect(readAll([[0, 1000]]).share).toBeNull();
    expect(
      readAll([
        [0, 0, 0, 0, null],
        [1, 0, 0, 0, null],
      ]).share,
    ).toBeNull();
  });

  test('of an hour without a trade is all of it', () => {
    expect(
      readAll([
        [0, 1000, 5],
        [1, 1000, 5],
      ]).share,
    ).toBe(100);
  });

  test('is never 100 while a gap is open, even one that is older', () => {
    expect(
      readAll([
        [0, 1000, 5, 1],
        [1, 2000, 5, 1],
      ]).share,
    ).toBe(99.99);
  });

  test('counts a repair of older gaps as no gain', () => {
    expect(
      readAll([
        [0, 1000, 100],
        [1, 1200, 0],
      ]).share,
    ).toBe(100);
    expect(
      readAll([
        [0, 1000, 100],
        [1, 1090, 10],
      ]).share,
    ).toBe(100);
  });
});

describe('a restart', () => {
  test('of the controller makes no figure better for an hour', () => {
    const share = (minute: number) =>
      readAll(
        [
          [0, 1000],
          [minute - 1, 5000],
          [minute, 6000],
        ],
        '99.5%',
      ).share;
    expect([share(2), share(59), share(61)]).toEqual([99.5, 99.5, 100]);
    expect(
      readAll(
        [
          [0, 1000],
          [1, 2000, 1000],
        ],
        '99.5%',
      ).share,
    ).toBe(50);
    expect(readAll([[0, 1000]], 'unknown').share).toBeNull();
  });

  test('of a worker that goes on with its counts changes nothing', () => {
    expect(
      readAll([
        [0, 1000, 0],
        [1, 1900, 100],
        [2, 1900, 100],
        [3, 1901, 100],
      ]).share,
    ).toBe(90);
  });

  test('of a worker that counts anew makes no figure better for an hour, nor before it counted as much', () => {
    const before: [number, number, number][] = [
      [0, 1000, 0],
      [1, 1900, 100],
    ];
    const anew = (minute: number, written: number) => readAll([...before, [2, 0, 0], [minute, written, 0]]);
    expect(anew(3, 500).share).toBe(90);
    expect(anew(62, 1899).share).toBe(100);
    expect(sinceStartShare(anew(3, 500).hour, totals(500))).toBe(95);
    expect(sinceStartShare(anew(62, 1899).hour, totals(1899))).toBe(95);
    expect(sinceStartShare(anew(62, 1900).hour, totals(1900))).toBe(100);
  });
});

test('whatever is counted, shares are between 0 and 100, and 100 only if nothing of the hour is missing', () => {
  const step = fc.record({ minutes: fc.nat({ max: 20 }), written: fc.nat({ max: 100 }), missing: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 60 }), (steps) => {
      let hour: LastHour | null = null;
      const now = { minute: 0, written: 0, missing: 0 };
      const lossMinutes: number[] = [];
      for (const { minutes, written, missing } of steps) {
        now.minute += minutes;
        now.written += written;
        now.missing += missing;
        if (missing > 0) lossMinutes.push(now.minute);
        const counts = totals(now.written, now.missing, 0, startMs);
        hour = hourAfter(hour, counts, undefined, at(now.minute));
        const share = hour && hourShare(hour, counts, now.minute * minuteMs);
        expect(hour?.samples.length).toBeLessThan(20);
        if (share === null) continue;
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(100);
        const lostNow = lossMinutes.some((minute) => minute > 0 && now.minute - minute < 60);
        if (share === 100) expect(lostNow).toBe(false);
      }
    }),
  );
});
