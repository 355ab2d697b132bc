import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { ExchangeFeed } from '../../api/exchange-feed.ts';
import { createKubeMetrics } from '../../controller/kube/metrics.ts';
import { createControllerMetrics } from '../../controller/metrics.ts';
import { sampleFeed } from './sample-feed.ts';

test('the reference lists exactly the metrics there are, with type and meaning', async () => {
  const page = readFileSync(new URL('../../docs/reference/controller-metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|[^|]*\| (.+) \|$/gm)].map(([, name, type, help]) => ({
    name,
    type,
    help,
  }));
  const registry = new Registry();
  createControllerMetrics(registry, () => []);
  createKubeMetrics(registry);
  const all = await registry.getMetricsAsJSON();
  expect(documented).toEqual(all.map(({ name, type, help }) => ({ name, type, help })));
});

test('feeds are counted by condition and status at every scrape', async () => {
  const feeds: ExchangeFeed[] = [];
  const registry = new Registry();
  createControllerMetrics(registry, () => feeds);
  const condition = { type: 'Ready', status: 'True', reason: 'FeedReady', message: '', observedGeneration: 1 } as const;
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  feeds.push(sampleFeed(), { ...sampleFeed(), status: { conditions: [{ ...condition, lastTransitionTime }] } });
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toContain('k2_controller_feeds{condition="Ready",status="True"} 1');
  expect(lines).toContain('k2_controller_feeds{condition="Ready",status="Unknown"} 1');
});
