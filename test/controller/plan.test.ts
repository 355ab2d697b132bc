import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import { type Desired, desire } from '../../controller/desired.ts';
import { TargetError } from '../../controller/errors.ts';
import { type Action, type Observed, type ObservedTopic, plan, type WorkersAction } from '../../controller/plan.ts';
import type { Workload } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const nothing: Observed = {
  topics: new Map(),
  subjects: new Map(),
  workload: { deployments: [], budgets: [] },
  isHeldUp: false,
};

/** The world after everything that is desired was made in it. */
const madeOf = (desired: Desired): Observed => ({
  topics: new Map(desired.topics.map(({ name, ...topic }) => [name, topic])),
  subjects: new Map(desired.subjects.map(({ name }, index) => [name, index + 1])),
  workload: rolledOut(desired.workload),
  isHeldUp: false,
});

/** As the API server shows it once every worker is available. */
function rolledOut({ deployments, budgets }: Workload): Workload {
  const available = deployments.map((deployment) => {
    const { replicas } = deployment.spec;
    return { ...deployment, status: { updatedReplicas: replicas, availableReplicas: replicas } };
  });
  return structuredClone({ deployments: available, budgets });
}

/** The world after the actions, as the broker, the registry and the API server would do them. */
function worldAfter(observed: Observed, actions: Action[]): Observed {
  const topics = new Map(observed.topics instanceof TargetError ? [] : observed.topics);
  const subjects = new Map(observed.subjects instanceof TargetError ? [] : observed.subjects);
  let workload = observed.workload;
  for (const action of actions) {
    if (action.target === 'workers') workload = workloadAfter(workload, action);
    else if (action.target === 'subjects')
      for (const { name } of action.subjects) subjects.set(name, subjects.size + 1);
    else
      for (const { name, ...topic } of action.topics) topics.set(name, changed(topics.get(name), topic, action.kind));
  }
  return { topics, subjects, workload: rolledOut(workload), isHeldUp: false };
}

function workloadAfter({ deployments, budgets }: Workload, { kind, object }: WorkersAction): Workload {
  const put = <T extends Workload['deployments' | 'budgets'][number]>(all: T[], changed: T) => [
    ...all.filter(({ metadata }) => metadata.name !== changed.metadata.name),
    ...(kind === 'apply' ? [changed] : []),
  ];
  return object.kind === 'Deployment'
    ? { deployments: put(deployments, object), budgets }
    : { deployments, budgets: put(budgets, object) };
}

function changed(before: ObservedTopic | undefined, wanted: ObservedTopic, kind: string): ObservedTopic {
  if (before === undefined || kind === 'create') return wanted;
  return kind === 'grow' ? { ...before, partitions: wanted.partitions } : { ...before, config: wanted.config };
}

const specs: fc.Arbitrary<Partial<ExchangeFeedSpec>> = fc.record({
  symbols: fc.uniqueArray(fc.stringMatching(/^[A-Z0-9]{2,10}$/), { minLength: 1, maxLength: 5 }),
  topics: fc.record({
    partitions: fc.integer({ min: 1, max: 6 }),
    replicationFactor: fc.integer({ min: 1, max: 3 }),
    raw: fc.record({
      retention: fc.integer({ min: 1, max: 200 }).map((hours) => `${hours}h`),
      config: fc.constantFrom({}, { 'retention.ms': null }, { 'compression.type': 'zstd' }),
    }),
    normalized: fc.record({ retention: fc.integer({ min: 1, max: 200 }).map((minutes) => `${minutes}m`) }),
  }),
  delivery: fc.constantFrom('ExactlyOnce', 'AtLeastOnce'),
  standbys: fc.integer({ min: 0, max: 1 }),
  worker: fc.record({ image: fc.constantFrom('a:1', 'a:2') }),
});
const shardedSpecs = specs.chain((spec) =>
  fc.integer({ min: 1, max: spec.symbols?.length ?? 1 }).map((shards) => ({ ...spec, shards })),
);
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
      fc.property(shardedSpecs, (spec) => {
        expect(plan(desiredOf(spec), madeOf(desiredOf(spec)))).toEqual({ actions: [], refusals: [] });
      }),
    );
  });

  test('that is carried out leaves nothing to do, from any feed to any other, unless it is refused', () => {
    fc.assert(
      fc.property(shardedSpecs, shardedSpecs, (before, spec) => {
        const desired = desiredOf(spec);
        const { actions, refusals } = plan(desired, madeOf(desiredOf(before)));
        if (refusals.length > 0) return;
        // Shards that are not wanted any more go once the others are there.
        const halfway = worldAfter(madeOf(desiredOf(before)), actions);
        const result = worldAfter(halfway, plan(desired, halfway).actions);
        expect(plan(desired, result)).toEqual({ actions: [], refusals: [] });
      }),
    );
  });

  test('never takes away a partition, a topic or a subject, and touches no worker after a refusal', () => {
    fc.assert(
      fc.property(shardedSpecs, shardedSpecs, (before, spec) => {
        const observed = madeOf(desiredOf(before));
        const { actions, refusals } = plan(desiredOf(spec), observed);
        const result = worldAfter(observed, actions);
        for (const { name, partitions } of desiredOf(before).topics) {
          expect(partitionsOf(result, name)).toBeGreaterThanOrEqual(partitions);
        }
        expect(
          actions.every(({ kind }) => ['create', 'grow', 'configure', 'register', 'apply', 'remove'].includes(kind)),
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
      ['configure', 2],
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
    for (const deployment of observed.workload.deployments) deployment.spec.replicas = 5;
    expect(plan(desiredOf({}), observed).actions.map(({ target }) => target)).toEqual(['workers']);
  });
});

describe('a cursor topic', () => {
  const name = 'market.crypto.cursors.binance';
  const withTopic = (change: Partial<ObservedTopic>): Observed => {
    const made = madeOf(desiredOf({}));
    const cursors = made.topics instanceof TargetError ? undefined : made.topics.get(name);
    if (made.topics instanceof TargetError || cursors === undefined) throw new Error('no cursor topic is desired');
    return { ...made, topics: new Map([...made.topics, [name, { ...cursors, ...change }]]) };
  };

  test.each(['delete', 'compact,delete'])('that loses cursors by age (%s) is made compacted again', (policy) => {
    const { actions, refusals } = plan(desiredOf({}), withTopic({ config: { 'cleanup.policy': policy } }));
    expect(refusals).toEqual([]);
    expect(actions).toMatchObject([{ target: 'topics', kind: 'configure', topics: [{ name }] }]);
  });

  test('with more partitions than one is refused, and no worker is touched', () => {
    const { actions, refusals } = plan(desiredOf({ shards: 2 }), withTopic({ partitions: 3 }));
    expect(actions).toEqual([]);
    expect(refusals).toMatchObject([
      {
        reason: 'CursorTopicRefused',
        message: `topic ${name} has 3 partitions, and cursors need one order, that of 1 partition`,
      },
    ]);
  });

  test('that another feed of the exchange made with other replicas is right', () => {
    expect(plan(desiredOf({}), withTopic({ replicationFactor: 3 }))).toEqual({ actions: [], refusals: [] });
  });

  test('keeps what somebody else set on it', () => {
    expect(
      plan(desiredOf({}), withTopic({ config: { 'cleanup.policy': 'compact', 'segment.ms': '1' } })).actions,
    ).toEqual([]);
  });
});

describe('a change of the number of shards', () => {
  const symbols = ['A', 'B', 'C', 'D', 'E', 'F'];
  const three = desiredOf({ symbols, shards: 3 });
  const two = desiredOf({ symbols, shards: 2 });
  const words = ({ actions }: { actions: Action[] }) =>
    actions.map((action) =>
      action.target === 'workers' ? `${action.kind} ${action.object.metadata.name}` : action.kind,
    );
  const half = (isDone: boolean): Observed => {
    const made = madeOf(three);
    const [last] = madeOf(three).workload.deployments.slice(2);
    const deployments = madeOf(two).workload.deployments.map((it) => (isDone ? it : { ...it, status: {} }));
    return { ...made, workload: { deployments: last ? [...deployments, last] : deployments, budgets: [] } };
  };

  test('upwards makes the new shards, and replaces only workers whose symbols change', () => {
    expect(words(plan(three, madeOf(two))).at(-1)).toBe('apply binance-2');
    expect(words(plan(desiredOf({ symbols, shards: 3 }), madeOf(three)))).toEqual([]);
  });

  test('downwards keeps the old shard until the workers of the others are ready, and then removes it', () => {
    expect(words(plan(two, madeOf(three)))).not.toContain('remove binance-2');
    expect(words(plan(two, half(false)))).toEqual([]);
    expect(words(plan(two, half(true)))).toEqual(['remove binance-2']);
  });

  test('downwards does not wait for a shard that cannot start once another one is held up', () => {
    const stuck = half(false);
    expect(words(plan(two, stuck))).toEqual([]);
    expect(words(plan(two, { ...stuck, isHeldUp: true }))).toEqual(['remove binance-2']);
  });

  test('removes nothing that belongs to another feed of that name, or is on its way out', () => {
    const observed = half(true);
    const others = (change: object): Observed => {
      const deployments = observed.workload.deployments.map((it, index) =>
        index === 2 ? { ...it, metadata: { ...it.metadata, ...change } } : it,
      );
      return { ...observed, workload: { deployments, budgets: [] } };
    };
    expect(words(plan(two, others({ ownerReferences: [] })))).toEqual([]);
    expect(words(plan(two, others({ deletionTimestamp: 'now' })))).toEqual([]);
  });

  test('does not apply a shard that is on its way out: it is made anew once it is gone', () => {
    const made = madeOf(three);
    const [last] = made.workload.deployments.slice(2);
    if (last) last.metadata.deletionTimestamp = 'now';
    expect(words(plan(three, made))).toEqual([]);
    made.workload.deployments.pop();
    expect(words(plan(three, made))).toEqual(['apply binance-2']);
  });
});

describe('a change of the standbys', () => {
  test('makes a budget for each shard, scales, and removes the budgets again', () => {
    const without = desiredOf({ shards: 2 });
    const standbys = desiredOf({ shards: 2, standbys: 1 });
    const words = ({ actions }: { actions: Action[] }) =>
      actions.map((action) => (action.target === 'workers' ? `${action.kind} ${action.object.kind}` : action.kind));
    const up = ['apply Deployment', 'apply Deployment', 'apply PodDisruptionBudget', 'apply PodDisruptionBudget'];
    expect(words(plan(standbys, madeOf(without)))).toEqual(up);
    const down = ['apply Deployment', 'apply Deployment', 'remove PodDisruptionBudget', 'remove PodDisruptionBudget'];
    expect(words(plan(without, madeOf(standbys)))).toEqual(down);
  });
});

function topics(changes: Partial<ExchangeFeedSpec['topics']>): ExchangeFeedSpec['topics'] {
  return { ...sampleFeed().spec.topics, ...changes };
}
