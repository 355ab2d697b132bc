import { Counter, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { histogramOf, quantile, since, sumOf } from './prometheus.ts';

const registry = new Registry();
const requests = new Counter({ name: 'requests_total', help: 'x', labelNames: ['code'], registers: [registry] });
const seconds = new Histogram({ name: 'work_seconds', help: 'x', buckets: [1, 2, 4], registers: [registry] });

test('samples are summed over the labels that are not asked for', async () => {
  requests.inc({ code: 'a "quoted" \\ one' }, 2);
  requests.inc({ code: '200' }, 3);
  const page = await registry.metrics();
  expect(sumOf(page, 'requests_total')).toBe(5);
  expect(sumOf(page, 'requests_total', { code: '200' })).toBe(3);
  expect(sumOf(page, 'requests_total', { code: '404' })).toBe(0);
});

test('a quantile lies between the bounds that its rank falls into', async () => {
  for (const value of [0.5, 1.5, 1.5, 3]) seconds.observe(value);
  const before = histogramOf(await registry.metrics(), 'work_seconds');
  expect(quantile(before, 0.25)).toBe(1);
  expect(quantile(before, 0.5)).toBe(1.5);
  expect(quantile(before, 1)).toBe(4);
  seconds.observe(9);
  const later = since(before, histogramOf(await registry.metrics(), 'work_seconds'));
  expect(later.at(-1)?.count).toBe(1);
  // Beyond the last bound nothing is known but the bound.
  expect(quantile(later, 0.5)).toBe(4);
  expect(quantile(histogramOf('', 'work_seconds'), 0.5)).toBeNull();
});
