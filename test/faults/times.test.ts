import { expect, test } from 'vitest';
import { aimsTable, percentile, type Recovery, timesTable } from './times.ts';

const recovery = (kind: string, ms: number, standbys = 0): Recovery => ({
  number: 1,
  kind,
  standbys,
  firstMs: ms,
  stallMs: ms,
  wholeMs: ms,
});

test.each([
  [[5, 1, 3], 50, 3],
  [[5, 1, 3], 100, 5],
  [[5, 1, 3], 1, 1],
  [Array.from({ length: 200 }, (_, index) => index + 1), 99, 198],
])('of %j the %i. percentile is the nearest rank', (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected);
});

test('of nothing there is no percentile', () => expect(percentile([], 99)).toBeNaN());

test('kinds are listed with their percentiles, the slowest first', () => {
  const text = timesTable([recovery('quick', 100), recovery('slow', 9000), recovery('quick', 300)]);
  const [header = '', first = '', second = ''] = text.split('\n');
  expect(header).toContain('first p50');
  expect(first.split(/\s+/)).toEqual(['slow', '1', ...Array(9).fill('9.00')]);
  expect(second.split(/\s+/).slice(0, 5)).toEqual(['quick', '2', '0.10', '0.30', '0.30']);
});

test('an aim is reached or missed by the worst of its faults, and left out where there is none', () => {
  const rows = aimsTable([recovery('rollout-restarted', 400), recovery('image-changed', 1200)]).split('\n');
  expect(rows).toHaveLength(2);
  expect(rows[1]).toMatch(/^rollout.* 2 .*0\.40 .*1\.20 .*1\.00 +MISSED$/);
  expect(aimsTable([recovery('rollout-restarted', 400)])).toContain('reached');
});

test('the loss of a pod counts where it had a standby', () => {
  const text = aimsTable([recovery('pod-force-deleted', 30_000, 0), recovery('pod-force-deleted', 16_000, 1)]);
  expect(text).toMatch(/with a standby.* 1 .*16\.00 .*20\.00 +reached/);
});
