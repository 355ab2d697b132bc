// The plan of a topic's settings, and of what goes with a feed; the rest of it is in plan.test.ts.
import { describe, expect, test } from 'vitest';
import { desire } from '../../controller/desired.ts';
import { type ObservedTopic, plan, planRemoval, refuseUnsettled } from '../../controller/plan.ts';
import { config as controllerConfig, sampleFeed, schemas } from './sample-feed.ts';

describe('the settings of a topic', () => {
  const name = 'market.crypto.trades.binance.raw';
  const raw = { retention: '1h', config: { 'retention.ms': null, 'compression.type': 'zstd' } };
  const wanted = desire(sampleFeed({ topics: { ...sampleFeed().spec.topics, raw } }), controllerConfig, schemas);
  const made: [string, ObservedTopic][] = wanted.topics.map((topic) => [topic.name, topic]);
  const withConfig = (config: ObservedTopic['config']) =>
    new Map([...made, [name, { partitions: 3, replicationFactor: 1, config }] as [string, ObservedTopic]]);
  const planFor = (config: ObservedTopic['config']) =>
    plan(wanted, {
      topics: withConfig(config),
      subjects: new Map(wanted.subjects.map((subject) => [subject.name, 1])),
      workload: { deployments: [], budgets: [] },
      isHeldUp: false,
    });
  const changes = (config: ObservedTopic['config']) =>
    planFor(config).actions.filter(({ target }) => target !== 'workers');

  test('are set where the feed gives a value, and left alone where it gives null', () => {
    expect(changes({ 'compression.type': 'producer', 'retention.ms': '1' })).toMatchObject([
      { kind: 'configure', topics: [{ name, config: { 'compression.type': 'zstd' } }] },
    ]);
    expect(changes({ 'compression.type': 'zstd', 'retention.ms': '1' })).toEqual([]);
  });

  test('that the broker does not know are refused by name, and no worker is touched', () => {
    expect(planFor({})).toMatchObject({
      actions: [],
      refusals: [
        { reason: 'TopicRefused', message: `topic ${name}: the broker knows no topic setting "compression.type"` },
      ],
    });
  });

  test('that the broker took and did not keep are told, so that they are not set for ever', () => {
    expect(refuseUnsettled(wanted.topics, withConfig({ 'compression.type': 'gzip' }))).toMatchObject([
      { message: `topic ${name}: compression.type was set to zstd, and the broker has gzip` },
    ]);
    expect(refuseUnsettled(wanted.topics, new Map())).toEqual([]);
  });
});

describe('the plan of a removal', () => {
  test('takes what this operator made and nobody else uses, and keeps the rest', () => {
    const made = new Set(['raw', 'trades', 'of another feed']);
    expect(planRemoval(['raw', 'trades', 'adopted'], made, new Set(['trades']))).toEqual({
      removed: ['raw'],
      kept: ['trades', 'adopted'],
    });
  });
});
