// The claim "helm install on kind": the chart, a feed and both topics on a real kind cluster.
import { expect, test } from 'vitest';
import { openBed } from './bed.ts';
import { expectNormalizedEqual, expectRawEqual } from './comparison.ts';
import { apply, deleteFeed, manifestOf, settle, waitReady } from './feeds.ts';
import { deploySimulator, installOperator, kubectl, topicNormalized } from './operator.ts';

test('the chart installs on kind, and a feed becomes Ready and fills both topics', async () => {
  const bed = await openBed();
  expect(bed.cluster).toBe('kind');
  expect(await kubectl(bed, 'get', 'nodes', '-o', 'jsonpath={.items[0].spec.providerID}')).toMatch(/^kind:/);
  await installOperator(bed);
  const simulator = await deploySimulator(bed);
  await simulator.reset();
  await apply(bed, manifestOf('binance', { symbols: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] }));
  await waitReady(bed, 'binance');
  await simulator.burst({ trades: 500 });
  const { sent, raw, normalized } = await settle(bed, simulator, topicNormalized);
  expect(sent.length).toBeGreaterThan(500);
  expectRawEqual(sent, raw);
  expectNormalizedEqual(sent, normalized);
  await deleteFeed(bed, 'binance');
});
