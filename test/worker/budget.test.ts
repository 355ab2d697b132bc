import { expect, test } from 'vitest';
import { Budget } from '../../worker/budget.ts';

test('so many fit into any window of that length, and each one more waits for the oldest to leave it', () => {
  const budget = new Budget({ count: 3, windowMs: 1000 });
  for (const nowMs of [0, 100, 200]) {
    expect(budget.delayMs(nowMs)).toBe(0);
    budget.take(nowMs);
  }
  expect(budget.delayMs(300)).toBe(700);
  expect(budget.delayMs(1000)).toBe(0);
  budget.take(1000);
  expect(budget.delayMs(1000)).toBe(100);
  expect(budget.delayMs(5000)).toBe(0);
});
