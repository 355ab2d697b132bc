import { expect, test } from 'vitest';
import { createBucket } from '../../../controller/kube/bucket.ts';
import { createFakeClock } from './fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  return { clock, bucket: createBucket({ perSecond: 10, burst: 3 }, clock.nowMs) };
}

test('a bucket gives its burst at once, then makes each wait for its own token', () => {
  const { clock, bucket } = setUp();
  expect([1, 2, 3, 4, 5].map(bucket.reserve)).toEqual([0, 0, 0, 100, 200]);
  clock.advance(250);
  expect(bucket.reserve()).toBe(50);
});

test('a bucket never holds more than its burst', () => {
  const { clock, bucket } = setUp();
  clock.advance(3_600_000);
  expect([1, 2, 3, 4].map(bucket.tryTake)).toEqual([true, true, true, false]);
  clock.advance(99);
  expect(bucket.tryTake()).toBe(false);
  clock.advance(1);
  expect(bucket.tryTake()).toBe(true);
});
