import { describe, expect, test } from 'vitest';
import { Rhythm } from '../../worker/rhythm.ts';

/** After so many trades, one every so many milliseconds, the last one at 0. */
function beating(trades: number, everyMs: number): Rhythm {
  const rhythm = new Rhythm();
  for (let left = trades - 1; left >= 0; left--) rhythm.beat(-left * everyMs);
  return rhythm;
}
const minuteMs = 60_000;

describe('the silence of a symbol is too long', () => {
  test('when it is thirty times its usual pause', () => {
    const rhythm = beating(100, minuteMs);
    expect(rhythm.isBroken(30 * minuteMs)).toBe(false);
    expect(rhythm.isBroken(30 * minuteMs + 1)).toBe(true);
  });

  test('after two minutes at the earliest, however often it trades', () => {
    const rhythm = beating(1000, 10);
    expect(rhythm.isBroken(2 * minuteMs)).toBe(false);
    expect(rhythm.isBroken(2 * minuteMs + 1)).toBe(true);
  });

  test('again once it is twice as long as when it was asked about', () => {
    const rhythm = beating(100, 1000);
    rhythm.asked(5 * minuteMs);
    expect(rhythm.isBroken(10 * minuteMs)).toBe(false);
    expect(rhythm.isBroken(10 * minuteMs + 1)).toBe(true);
  });
});

describe('the silence of a symbol is never too long', () => {
  test('of which too few trades came to know its rhythm', () => {
    expect(beating(19, 1000).isBroken(1e9)).toBe(false);
    expect(new Rhythm().isBroken(1e9)).toBe(false);
  });

  test('that trades once an hour, for a day', () => {
    expect(beating(30, 60 * minuteMs).isBroken(24 * 60 * minuteMs)).toBe(false);
  });

  test('for as long as it trades', () => {
    const rhythm = beating(100, 1000);
    rhythm.beat(3 * minuteMs);
    expect(rhythm.isBroken(4 * minuteMs)).toBe(false);
  });
});
