import { describe, expect, test } from 'vitest';
import type { Condition } from '../../api/exchange-feed.ts';
import { classOf, conditionOf, type Reason, reasons, TargetError } from '../../controller/errors.ts';
import { lookAgainMs, ownerlessFor, ownerlessSince } from '../../controller/pace.ts';

const all = Object.keys(reasons) as Reason[];
const ofClass = (...kinds: string[]) => all.filter((reason) => kinds.includes(classOf(reason)));
const isOurs = (reason: Reason) => !['Streaming', 'DataComplete'].includes(conditionOf(reason));
const ready = (reason: Reason, status: Condition['status'] = 'False'): Condition => {
  return { type: 'Ready', status, reason, message: '', observedGeneration: 1, lastTransitionTime: '' };
};

/** Milliseconds until the next look, for one look after another that found the same. */
const looks = (reason: Reason, failures: TargetError[]) =>
  [1, 2, 3, 5, 8, 20].map((count) => lookAgainMs(ready(reason), ready(reason), failures, count, 0.5));
const failed = (reason: Reason) => looks(reason, [new TargetError(reason, 'seen')]);

describe('a failure', () => {
  test.each(ofClass('terminal').filter(isOurs))('that no retry can cure is not tried in a loop: %s', (reason) => {
    const delays = failed(reason);
    expect(new Set(delays).size).toBe(1);
    expect(delays[0]).toBe(reason.endsWith('Conflict') ? 15_000 : 300_000);
  });

  test.each(ofClass('progressing', 'retryable').filter(isOurs))('that may pass is tried again: %s', (reason) => {
    const delays = failed(reason);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
    expect(delays[0]).toBeLessThanOrEqual(2_000);
    expect(delays.at(-1)).toBeLessThanOrEqual(30_000);
  });

  test('that may pass is tried again beside one that no retry can cure', () => {
    const failures = [new TargetError('PartitionShrinkRefused', 'x'), new TargetError('RegistryUnreachable', 'y')];
    expect(Math.max(...looks('PartitionShrinkRefused', failures))).toBeLessThanOrEqual(30_000);
  });
});

test.each(ofClass('terminal').filter((reason) => !isOurs(reason)))(
  'what only workers judge is read at the rhythm of their figures: %s',
  (reason) => expect(new Set(looks(reason, []))).toEqual(new Set([30_000])),
);

test('a feed that is Ready is looked at for its figures, and sooner when it has just become so', () => {
  const now = ready('FeedReady', 'True');
  expect(lookAgainMs(now, now, [], 0, 0.5)).toBe(30_000);
  expect(lookAgainMs(now, ready('WorkersStarting'), [], 0, 0.5)).toBe(5_000);
});

test('a shard is without an owner for too long after 30 s, counted anew once it had one', () => {
  const since = ownerlessSince(new Map(), [0, 1], 1000);
  expect(ownerlessFor(since, 30_999)).toEqual([]);
  expect(ownerlessFor(since, 31_000)).toEqual([0, 1]);
  const later = ownerlessSince(ownerlessSince(since, [1], 5000), [0, 1], 6000);
  expect(ownerlessFor(later, 31_000)).toEqual([1]);
});
