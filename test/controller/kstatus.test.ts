import { expect, describe as group, test } from 'vitest';
import { pauseReconciliationAnnotation } from '../../api/exchange-feed.ts';
import { classOf, conditionOf as placeOf, type Reason, reasons, TargetError } from '../../controller/errors.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { endsWait, kstatusOf } from './kstatus.ts';
import { sampleFeed } from './sample-feed.ts';
import { conditionOf, counted, report, wellSeen, withReports, withSymbol, workerStatus } from './seen.ts';

const well = wellSeen();
const { symbols } = well.feed.spec;
const feedOf = (seen: Seen) => ({ ...seen.feed, status: describe(seen) });
const paused: Seen = { ...wellSeen(sampleFeed({ state: 'Paused' })), pods: [], reports: [] };
const heldFeed = {
  ...well.feed,
  metadata: { ...well.feed.metadata, annotations: { [pauseReconciliationAnnotation]: 'true' } },
};
const gap = { firstId: '5', lastId: '6', state: 'open' as const, message: '' };
const gapped = (state: 'open' | 'lost') =>
  withSymbol(workerStatus(symbols), 'BTCUSDT', {
    continuity: { ...counted, proven: false, missing: 2, gaps: [{ ...gap, state }] },
  });

group('a tool that waits takes a feed', () => {
  test('that streams for Current', () => {
    const feed = feedOf(well);
    expect([kstatusOf(feed), endsWait(feed, 'Ready')]).toEqual(['Current', true]);
  });

  test.each<[string, Seen]>([
    [
      'that nobody has looked at',
      { ...well, desired: null, topics: null, subjects: null, deployments: [], reports: [] },
    ],
    ['whose topics are being made', { ...well, topics: new Map(), deployments: [], reports: [] }],
    ['whose workers start', { ...well, deployments: well.deployments.map((it) => ({ ...it, status: {} })) }],
    ['whose worker cannot be asked', withReports(well, [report(new Error('connect ETIMEDOUT'))])],
    ['that repairs a gap', withReports(well, [report(gapped('open'))])],
    ['whose broker is away', { ...well, failures: [new TargetError('BrokerUnreachable', 'refused')] }],
    ['that is paused, for which kstatus has no word', paused],
    [
      'whose changes are held',
      { ...well, feed: heldFeed, failures: [new TargetError('ChangesHeld', 'create topics')] },
    ],
  ])('%s for InProgress', (_, seen) => {
    const feed = feedOf(seen);
    expect([kstatusOf(feed), endsWait(feed, 'Ready')]).toEqual(['InProgress', false]);
  });

  test.each<[string, Seen]>([
    ['that asks for fewer partitions', { ...well, failures: [new TargetError('PartitionShrinkRefused', 'topic x')] }],
    [
      'of an exchange that is not known',
      { ...well, desired: null, failures: [new TargetError('UnknownExchange', 'x')] },
    ],
    [
      'with a symbol that does not exist',
      withReports(well, [
        report(withSymbol(workerStatus(symbols), 'BTCUSDT', { state: 'refused', message: 'not listed' })),
      ]),
    ],
    ['that has lost trades', withReports(well, [report(gapped('lost'))])],
  ])('%s for Failed', (_, seen) => {
    const feed = feedOf(seen);
    expect([kstatusOf(feed), endsWait(feed, 'Ready')]).toEqual(['Failed', false]);
  });

  test('that is being deleted for Terminating', () => {
    const metadata = { ...well.feed.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    const failures = [new TargetError('Deleting', 'The feed is deleted once its workers have ended')];
    const feed = feedOf({ ...well, feed: { ...well.feed, metadata }, desired: null, failures });
    expect([kstatusOf(feed), endsWait(feed, 'Ready')]).toEqual(['Terminating', false]);
  });

  test('whose new spec nobody has looked at for InProgress, although it was Ready', () => {
    const status = describe(well);
    const feed = { ...well.feed, metadata: { ...well.feed.metadata, generation: 2 }, status };
    expect(conditionOf(status, 'Ready')?.status).toBe('True');
    expect([kstatusOf(feed), endsWait(feed, 'Ready')]).toEqual(['InProgress', false]);
  });
});

group('whatever stands in the way of a feed', () => {
  const ofWorkers = ['Streaming', 'DataComplete'];
  const failing = (Object.keys(reasons) as Reason[]).filter(
    (reason) => classOf(reason) !== 'healthy' && !ofWorkers.includes(placeOf(reason)),
  );

  test.each(failing)('%s gives Failed if no retry can cure it, else InProgress', (reason) => {
    const feed = feedOf({ ...well, failures: [new TargetError(reason, 'seen')] });
    expect(kstatusOf(feed)).toBe(classOf(reason) === 'terminal' ? 'Failed' : 'InProgress');
  });

  test.each(failing)('%s is said by Reconciling or Stalled in the words of Ready', (reason) => {
    const { status } = feedOf({ ...well, failures: [new TargetError(reason, 'seen')] });
    const ready = conditionOf(status, 'Ready');
    const [passing, ...more] =
      status.conditions?.filter(({ type }) => type === 'Reconciling' || type === 'Stalled') ?? [];
    expect(more).toEqual([]);
    expect([passing?.status, passing?.reason, passing?.message]).toEqual(['True', ready?.reason, ready?.message]);
  });
});

group('a pause', () => {
  test('of the feed is a condition of its own, and no trouble', () => {
    const status = describe(paused);
    expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'False', reason: 'Paused' });
    expect(conditionOf(status, 'Paused')).toMatchObject({ status: 'True', reason: 'StatePaused' });
    expect(conditionOf(status, 'Stalled')).toBeUndefined();
    expect(conditionOf(status, 'Streaming')).toMatchObject({ status: 'False', reason: 'StreamingPaused' });
  });

  test('of its reconciliation leaves a feed Ready that wants nothing else than there is', () => {
    const status = describe({ ...well, feed: heldFeed });
    expect(conditionOf(status, 'Paused')).toMatchObject({ status: 'True', reason: 'ReconciliationPaused' });
    expect(conditionOf(status, 'Ready')?.status).toBe('True');
  });

  test('is gone from the conditions when it has ended', () => {
    const previous = describe({ ...well, feed: heldFeed });
    expect(conditionOf(describe({ ...well, previous }), 'Paused')).toBeUndefined();
  });
});
