// Whatever there is to see, the status keeps its promises: it contradicts itself nowhere, and an unchanged world is not
// written again.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { conditionTypes, pauseReconciliationAnnotation } from '../../api/exchange-feed.ts';
import { type ContinuityStatus, gapStates, roles, symbolStates, type WorkerStatus } from '../../api/worker-status.ts';
import { classOf, conditionOf as placeOf, type Reason, reasons, TargetError } from '../../controller/errors.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { ownerlessShards, type WorkerReport } from '../../controller/streaming.ts';
import type { Deployment, Pod } from '../../controller/workload.ts';
import { sampleFeed } from './sample-feed.ts';
import {
  conditionOf,
  workerStatus as goodStatus,
  podOf,
  report,
  startMs,
  tradeMs,
  wellSeen,
  withReports,
} from './seen.ts';

const names = ['AAA', 'BBB', 'CCC', 'DDD'];
/** What targets and the controller itself fail with; workers judge of the rest. */
const failureReasons = (Object.keys(reasons) as Reason[]).filter((reason) => {
  return classOf(reason) !== 'healthy' && placeOf(reason) !== 'Streaming' && placeOf(reason) !== 'DataComplete';
});
const mostly = <T>(well: fc.Arbitrary<T>, bad: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: well }, { weight: 1, arbitrary: bad });
const count = fc.nat({ max: 3 });
const words = fc.constantFrom('connect ECONNREFUSED', 'quota is used up.', 'x'.repeat(5000), 'two\nlines');

const continuity = fc.record({
  proven: fc.boolean(),
  message: fc.constantFrom('', 'nothing was read yet'),
  provable: mostly(fc.constant(true), fc.constant(false)),
  written: fc.nat({ max: 1000 }),
  backfilled: count,
  duplicates: count,
  missing: mostly(fc.constant(0), count),
  sinceMs: fc.constantFrom(null, tradeMs, tradeMs - 7_200_000),
  silent: mostly(fc.constant(false), fc.constant(true)),
  gaps: mostly(
    fc.constant<ContinuityStatus['gaps']>([]),
    fc.array(
      fc.record({
        firstId: fc.constantFrom('5', '90071992547409931'),
        lastId: fc.constant('90071992547409935'),
        state: fc.constantFrom(...gapStates),
        message: fc.constantFrom('', 'gone'),
        timeMs: fc.constantFrom(tradeMs, tradeMs - 300 * 3_600_000),
      }),
      { maxLength: 20 },
    ),
  ),
});

const workerStatus: fc.Arbitrary<WorkerStatus> = fc.record(
  {
    exchange: fc.constant('binance'),
    role: mostly(fc.constant<'owner'>('owner'), fc.constantFrom(...roles)),
    streaming: mostly(fc.constant(true), fc.constant(false)),
    message: fc.constantFrom('', 'cannot connect'),
    symbols: mostly(fc.constant(names), fc.subarray(names)).chain((own) =>
      fc.tuple(
        ...own.map((symbol) =>
          fc.record({
            symbol: fc.constant(symbol),
            state: mostly(fc.constant<'subscribed'>('subscribed'), fc.constantFrom(...symbolStates)),
            message: fc.constantFrom('', 'not listed'),
            lastTradeTimeMs: fc.constantFrom(null, tradeMs),
            continuity,
          }),
        ),
      ),
    ),
    completeness: fc.constant(100),
    tradesTotal: count,
    tradesPerSecond: fc.constantFrom(0, 0.4, 168.4),
  },
  { requiredKeys: ['exchange', 'streaming', 'message', 'symbols', 'tradesTotal', 'tradesPerSecond'] },
);

const reportOf: fc.Arbitrary<WorkerReport> = fc.record({
  pod: fc.constantFrom('binance-0-x', 'binance-1-y'),
  shard: fc.nat({ max: 2 }),
  ready: mostly(fc.constant(true), fc.constant(false)),
  status: mostly<WorkerStatus | Error>(workerStatus, fc.constant(new Error('connect ETIMEDOUT'))),
});

/** An owner in every shard that streams whatever is asked of it. */
const goodReports = (shards: number): WorkerReport[] =>
  Array.from({ length: shards }, (_, shard) => report(goodStatus(names), true, shard));

const waiting = fc.constantFrom('ErrImagePull', 'CrashLoopBackOff', 'ContainerCreating');
const podStatus: fc.Arbitrary<NonNullable<Pod['status']>> = fc.record({
  phase: fc.constantFrom('Pending', 'Running', 'Failed'),
  conditions: fc.constantFrom([], [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '' }]),
  containerStatuses: fc.array(
    fc.record({
      name: fc.constant('worker'),
      ready: fc.boolean(),
      restartCount: count,
      state: fc.record({ waiting: fc.record({ reason: waiting }) }),
    }),
    { maxLength: 1 },
  ),
});

const changedDeployment = (deployment: Deployment): fc.Arbitrary<Deployment[]> =>
  mostly<Deployment[]>(
    fc.constant([deployment]),
    fc.oneof(
      fc.constant<Deployment[]>([]),
      fc
        .record({ replicas: count, updatedReplicas: count, readyReplicas: count, availableReplicas: count })
        .map((status) => {
          return [{ ...deployment, status: { ...status, observedGeneration: 1 } }];
        }),
    ),
  );

const feed = fc
  .record({
    symbols: fc.subarray(names, { minLength: 1 }),
    shards: fc.constantFrom(1, 1, 2),
    standbys: fc.constantFrom(0, 1),
    state: mostly(fc.constant<'Running'>('Running'), fc.constant<'Paused'>('Paused')),
    isHeld: mostly(fc.constant(false), fc.constant(true)),
    generation: fc.constantFrom(1, 2),
  })
  .map(({ isHeld, generation, ...spec }) => {
    const sample = sampleFeed({ ...spec, shards: Math.min(spec.shards, spec.symbols.length) });
    const annotations = isHeld ? { [pauseReconciliationAnnotation]: 'true' } : {};
    return { ...sample, metadata: { ...sample.metadata, generation, annotations } };
  });

const seen: fc.Arbitrary<Seen> = feed.chain((one) => {
  const well = wellSeen(one);
  return fc
    .record({
      reports: fc.oneof(fc.constant(goodReports(one.spec.shards)), fc.array(reportOf, { maxLength: 4 })),
      deployments: fc.tuple(...well.deployments.map(changedDeployment)).map((all) => all.flat()),
      pods: fc
        .array(podStatus, { maxLength: 3 })
        .map((all) => all.map((status, shard) => ({ ...podOf(shard), status }))),
      topics: mostly(fc.constant(well.topics), fc.constantFrom(null, new Map())),
      subjects: mostly(fc.constant(well.subjects), fc.constantFrom(null, new Map())),
      isAccepted: mostly(fc.constant(true), fc.constant(false)),
      failures: mostly(
        fc.constant<[Reason, string][]>([]),
        fc.array(fc.tuple(fc.constantFrom(...failureReasons), words), { minLength: 1, maxLength: 3 }),
      ),
      isOwnerless: fc.boolean(),
      nowMs: fc.nat({ max: 100_000 }).map((ms) => startMs + ms),
      liveDue: fc.boolean(),
    })
    .map(({ reports, isAccepted, isOwnerless, failures, ...rest }) => {
      const desired = isAccepted ? well.desired : null;
      const heard = withReports({ ...well, ...rest, desired, hour: null }, reports);
      const ownerless = isOwnerless ? ownerlessShards(heard.reports, one.spec.shards) : [];
      return { ...heard, ownerless, failures: failures.map(([reason, why]) => new TargetError(reason, why)) };
    });
});

const doubts = ['NotProvable', 'ProofPending'];

/** Of what was seen, after something else was. */
const history = fc.tuple(seen, seen).map(([before, now]) => ({ ...now, previous: describe(before) }));
const check = (holds: (one: Seen) => void) => fc.assert(fc.property(history, holds), { numRuns: 200 });

test('Ready is True only if every other condition is, or cannot be proven', () => {
  let readyCount = 0;
  check((one) => {
    const status = describe(one);
    if (conditionOf(status, 'Ready')?.status !== 'True') return;
    readyCount++;
    for (const { type, status: value, reason } of status.conditions ?? []) {
      if (type === 'DataComplete' && value === 'Unknown') expect(doubts).toContain(reason);
      else expect([type, value]).toEqual([type, 'True']);
    }
    expect(one.feed.spec.state).toBe('Running');
    const unheard = one.reports.filter(
      ({ shard, unreachable }) => shard < one.feed.spec.shards && unreachable !== null,
    );
    expect(unheard).toEqual([]);
  });
  // Or the worlds are all so bad that nothing is shown.
  expect(readyCount).toBeGreaterThan(5);
});

test('there is each condition once, and of Reconciling and Stalled the one that goes with Ready', () => {
  check((one) => {
    const { conditions = [] } = describe(one);
    const types = conditions.map(({ type }) => type);
    expect(types.slice(0, conditionTypes.length)).toEqual([...conditionTypes]);
    const ready = conditionOf({ conditions }, 'Ready');
    const kind = classOf(ready?.reason as Reason);
    const wanted = kind === 'healthy' ? [] : [kind === 'terminal' ? 'Stalled' : 'Reconciling'];
    expect(types.slice(conditionTypes.length).filter((type) => type !== 'Paused')).toEqual(wanted);
    for (const { type, reason } of conditions) {
      const passes = type === 'Ready' || type === 'Reconciling' || type === 'Stalled';
      if (!passes) expect(placeOf(reason as Reason)).toBe(type);
    }
    expect(conditions.every(({ observedGeneration }) => observedGeneration === one.feed.metadata.generation)).toBe(
      true,
    );
  });
});

test('Ready has a reason of its own, or repeats the condition that stands in the way', () => {
  check((one) => {
    const { conditions = [] } = describe(one);
    const ready = conditionOf({ conditions }, 'Ready');
    if (placeOf(ready?.reason as Reason) === 'Ready') return;
    const source = conditions.find(({ type }) => type === placeOf(ready?.reason as Reason));
    expect([source?.reason, source?.message, source?.status]).toEqual([ready?.reason, ready?.message, ready?.status]);
    expect(ready?.status).not.toBe('True');
  });
});

test('messages are sentences within the bounds of the CRD, and so are the lists', () => {
  check((one) => {
    const { conditions = [], refusedSymbols = [], topics = [] } = describe(one);
    for (const { message } of conditions) {
      expect(message).toMatch(/^\S[\s\S]*\.$/);
      expect(message).not.toMatch(/undefined|null|NaN|\[object|\.\.$/);
      expect(message.length).toBeLessThanOrEqual(4096);
    }
    expect([conditions.length <= 8, refusedSymbols.length <= 20, topics.length <= 4]).toEqual([true, true, true]);
  });
});

test('a time moves when the status of its condition does, and never else', () => {
  check((one) => {
    for (const { type, status, lastTransitionTime } of describe(one).conditions ?? []) {
      const before = conditionOf(one.previous, type);
      const now = new Date(one.nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
      expect(lastTransitionTime).toBe(before?.status === status ? before.lastTransitionTime : now);
    }
  });
});

test('an unchanged world is described alike again and again, also after the API server had it', () => {
  check((one) => {
    const first = describe(one);
    // A hand-over is forgiven to a feed that was Ready, so one step more may be needed.
    const second = describe({ ...one, previous: first, nowMs: one.nowMs + 30_000, liveDue: true });
    const stored = JSON.parse(JSON.stringify(second));
    expect(stored).toStrictEqual(second);
    const third = describe({ ...one, previous: stored, nowMs: one.nowMs + 60_000, liveDue: true });
    expect(third).toStrictEqual(second);
  });
});
