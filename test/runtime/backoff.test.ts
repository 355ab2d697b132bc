import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffDelayMs } from '../../runtime/backoff.ts';

const limits = { delayMsBase: 500, delayMsMax: 30_000 };
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('the first try does not wait', () => {
  expect(backoffDelayMs(0, limits, 0.99)).toBe(0);
});

test('waits double up to the bound, half of them at least', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => backoffDelayMs(failures, limits, 0));
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

test('no number of failures waits longer than the bound, or less than half of the first', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), random, (failures, chance) => {
      const delayMs = backoffDelayMs(failures, limits, chance);
      expect(delayMs).toBeGreaterThanOrEqual(250);
      expect(delayMs).toBeLessThanOrEqual(limits.delayMsMax);
    }),
  );
});

test('clients that failed together come back at different times', () => {
  const waits = new Set([0, 0.25, 0.5, 0.75].map((chance) => backoffDelayMs(5, limits, chance)));
  expect(waits).toEqual(new Set([4000, 5000, 6000, 7000]));
});
