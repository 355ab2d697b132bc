import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import { type Desired, desire } from '../../controller/desired.ts';
import { TargetError } from '../../controller/errors.ts';
import { type Action, type Observed, type ObservedTopic, plan } from '../../controller/plan.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const nothing: Observed = { topics: new Map(), subjects: new Map(), deployment: null };

/** The world after everything that is desired was made in it. */
const madeOf = (desired: Desired): Observed => ({
  topics: new Map(desired.topics.map(({ name, ...topic }) => [name, topic])),
  subjects: new Map(desired.subjects.map(({ name }, index) => [name, index + 1])),
  deployment: structuredClone(desired.deployment),
});

/** The world after the actions, as the broker, the registry and the API server would do them. */
function worldAfter(observed: Observed, actions: Action[]): Observed {
  const topics = new Map(observed.topics instanceof TargetError ? [] : observed.topics);
  const subjects = new Map(observed.subjects instanceof TargetError ? [] : observed.subjects);
  let { deployment } = observed;
  for (const action of actions) {
    if (action.target === 'workers') deployment = structuredClone(action.deployment);
    else if (action.target === 'subjects')
      for (const { name } of action.subjects) subjects.set(name, subjects.size + 1);
    else
      for (const { name, ...topic } of action.topics) topics.set(name, changed(topics.get(name), topic, action.kind));
  }
  return { topics, subjects, deployment };
}

function changed(before: ObservedTopic | undefined, wanted: ObservedTopic, kind: string): ObservedTopic {
  if (before === undefined || kind === 'create') return wanted;
  return kind === 'grow'
    ? { ...before, partitions: wanted.partitions }
    : { ...before, retentionMs: wanted.retentionMs };
}

const specs: fc.Arbitrary<Partial<ExchangeFeedSpec>> = fc.record({
  symbols: fc.uniqueArray(fc.stringMatching(/^[A-Z0-9]{2,10}$/), { minLength: 1, maxLength: 5 }),
  topics: fc.record({
    partitions: fc.integer({ min: 1, max: 6 }),
    replicationFactor: fc.integer({ min: 1, max: 3 }),
    raw: fc.record({ retention: fc.integer({ min: 1, max: 200 }).map((hours) => `${hours}h`) }),
    normalized: fc.record({ retention: fc.integer({ min: 1, max: 200 }).map((minutes) => `${minutes}m`) }),
  }),
  worker: fc.record({ image: fc.constantFrom('a:1', 'a:2') }),
});
const desiredOf = (spec: Partial<ExchangeFeedSpec>) => desire(sampleFeed(spec), config, schemas);
const partitionsOf = (observed: Observed, name: string) =>
  observed.topics instanceof TargetError ? undefined : observed.topics.get(name)?.partitions;

describe('a plan', () => {
  test('for a new feed makes topics, then subjects, then workers', () => {
    const { actions, refusals } = plan(desiredOf({}), nothing);
    expect(refusals).toEqual([]);
    expect(actions.map(({ target, kind }) => `${target}: ${kind}`)).toEqual([
      'topics: create',
      'subjects: register',
      'workers: apply',
    ]);
  });

  test('is empty when everything is as desired, for any feed', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(plan(desiredOf(spec), madeOf(desiredOf(spec)))).toEqual({ actions: [], refusals: [] });
      }),
    );
  });

  test('that is carried out leaves nothing to do, from any feed to any other, unless it is refused', () => {
    fc.assert(
      fc.property(specs, specs, (before, spec) => {
        const desired = desiredOf(spec);
        const { actions, refusals } = plan(desired, madeOf(desiredOf(before)));
        const result = worldAfter(madeOf(desiredOf(before)), actions);
        if (refusals.length === 0) expect(plan(desired, result)).toEqual({ actions: [], refusals: [] });
      }),
    );
  });

  test('never takes away a partition, a topic or a subject, and touches no worker after a refusal', () => {
    fc.assert(
      fc.property(specs, specs, (before, spec) => {
        const observed = madeOf(desiredOf(before));
        const { actions, refusals } = plan(desiredOf(spec), observed);
        const result = worldAfter(observed, actions);
        for (const { name, partitions } of desiredOf(before).topics) {
          expect(partitionsOf(result, name)).toBeGreaterThanOrEqual(partitions);
        }
        expect(
          actions.every(({ kind }) => ['create', 'grow', 'set-retention', 'register', 'apply'].includes(kind)),
        ).toBe(true);
        if (refusals.length > 0) expect(actions.some(({ target }) => target === 'workers')).toBe(false);
      }),
    );
  });

  test('refuses to shrink, and says what would be right', () => {
    const { actions, refusals } = plan(desiredOf({}), madeOf(desiredOf({ topics: topics({ partitions: 6 }) })));
    expect(actions).toEqual([]);
    expect(refusals[0]).toMatchObject({
      reason: 'PartitionShrinkRefused',
      message:
        'topic market.crypto.trades.binance.raw has 6 partitions, topics.partitions is 3, and Kafka cannot remove any',
    });
  });

  test('refuses another replication factor', () => {
    const { refusals } = plan(desiredOf({}), madeOf(desiredOf({ topics: topics({ replicationFactor: 3 }) })));
    expect(refusals.map(({ reason }) => reason)).toEqual(Array(3).fill('ReplicationChangeRefused'));
  });

  test('grows a topic and sets its retention in one request each', () => {
    const wanted = { ...topics({ partitions: 6 }), raw: { retention: '1h' } };
    const { actions } = plan(desiredOf({ topics: wanted }), madeOf(desiredOf({})));
    expect(actions.map((action) => [action.kind, action.target === 'topics' ? action.topics.length : 0])).toEqual([
      ['grow', 3],
      ['set-retention', 2],
    ]);
  });

  test('leaves the workers alone while the broker is away, and still registers subjects', () => {
    const lost = new TargetError('BrokerUnreachable', 'redpanda-0:9092: connection refused');
    const { actions, refusals } = plan(desiredOf({}), { ...nothing, topics: lost });
    expect(refusals).toEqual([lost]);
    expect(actions.map(({ target }) => target)).toEqual(['subjects']);
  });

  test('applies a Deployment that somebody edited', () => {
    const observed = madeOf(desiredOf({}));
    if (observed.deployment) observed.deployment.spec.replicas = 5;
    expect(plan(desiredOf({}), observed).actions.map(({ target }) => target)).toEqual(['workers']);
  });
});

function topics(changes: Partial<ExchangeFeedSpec['topics']>): ExchangeFeedSpec['topics'] {
  return { ...sampleFeed().spec.topics, ...changes };
}
