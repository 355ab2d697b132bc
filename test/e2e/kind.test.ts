// The claim "helm install on kind": the README's own commands on a real kind cluster, then both topics compared.
import { expect, test } from 'vitest';
import { openBed } from './bed.ts';
import { expectNormalizedEqual, expectRawEqual } from './comparison.ts';
import { deleteFeed, settle } from './feeds.ts';
import { deploySimulator, kubectl, topicNormalized } from './operator.ts';
import { installAsTheReadmeSays } from './readme.ts';

test("the README's commands install the chart on kind, and the feed becomes Ready and fills both topics", async () => {
  const bed = await openBed();
  expect(bed.cluster).toBe('kind');
  expect(await kubectl(bed, 'get', 'nodes', '-o', 'jsonpath={.items[0].spec.providerID}')).toMatch(/^kind:/);
  const simulator = await deploySimulator(bed);
  await installAsTheReadmeSays(bed);
  await simulator.burst({ trades: 500 });
  const { sent, raw, normalized } = await settle(bed, simulator, topicNormalized);
  expect(sent.length).toBeGreaterThan(500);
  expectRawEqual(sent, raw);
  expectNormalizedEqual(sent, normalized);
  await deleteFeed(bed, 'binance');
});
