import { expect, test } from 'vitest';
import { createWallClock } from '../../worker/clock.ts';

test('the clock has microseconds between the milliseconds of the date', () => {
  let dateMs = 1_700_000_000_000;
  let monotonicMs = 5;
  const nowUs = createWallClock(
    () => dateMs,
    () => monotonicMs,
  );
  expect(nowUs()).toBe(1_700_000_000_000_000);
  monotonicMs += 0.25;
  expect(nowUs()).toBe(1_700_000_000_000_250);
  monotonicMs += 0.8;
  dateMs += 1;
  expect(nowUs()).toBe(1_700_000_000_001_050);
});

test.each([3_600_000, -3_600_000, 3, -3])('the clock follows when the system clock is corrected by %i ms', (stepMs) => {
  let dateMs = 1_700_000_000_000;
  const nowUs = createWallClock(
    () => dateMs,
    () => 5,
  );
  nowUs();
  dateMs += stepMs;
  expect(nowUs()).toBe(dateMs * 1000);
  expect(nowUs()).toBe(dateMs * 1000);
});
