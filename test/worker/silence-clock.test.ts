import { describe, expect, test } from 'vitest';
import { SilenceClock } from '../../worker/silence-clock.ts';

/** Reads up to the end at each of these times. */
function readAt(clock: SilenceClock, ...timesMs: number[]): number {
  for (const timeMs of timesMs) clock.read(timeMs, 9n, 9n);
  return clock.ms;
}

describe('silence is counted', () => {
  test('from the first answer that reaches the end of the log', () => {
    const clock = new SilenceClock();
    clock.read(0, 3n, 9n);
    clock.read(500, 8n, 9n);
    expect(clock.ms).toBe(0);
    expect(readAt(clock, 600)).toBe(0);
    expect(readAt(clock, 1100, 1600)).toBe(1600);
  });

  test('up to when all was read that had been written by then, while more comes than is read', () => {
    const clock = new SilenceClock();
    clock.read(0, 10n, 10n);
    clock.read(400, 15n, 20n);
    clock.read(800, 19n, 30n);
    expect(clock.ms).toBe(0);
    clock.read(1200, 20n, 40n);
    expect(clock.ms).toBe(400);
  });

  test('not while the log cannot be read', () => {
    const clock = new SilenceClock();
    expect(readAt(clock, 0, 500)).toBe(500);
    clock.interrupt();
    expect(readAt(clock, 20_500)).toBe(500);
    expect(readAt(clock, 21_000)).toBe(1000);
  });

  test('by no more than 2 s for a pause of this process or of the broker', () => {
    expect(readAt(new SilenceClock(), 0, 60_000)).toBe(2000);
  });
});
