import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import { createQueue } from '../../../controller/kube/queue.ts';
import { createFakeClock } from './fake-clock.ts';

const forever = new AbortController().signal;

function setUp(random = 0) {
  const clock = createFakeClock();
  const registry = new Registry();
  const queue = createQueue({ name: 'feeds', clock, random: () => random, metrics: createKubeMetrics(registry) });
  return { clock, registry, queue };
}

describe('a work queue', () => {
  test('hands out keys in the order they were added, each once', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b', 'a', 'b', 'c']) queue.add(key);
    expect(queue.length).toBe(3);
    expect([await queue.get(forever), await queue.get(forever), await queue.get(forever)]).toEqual(['a', 'b', 'c']);
    expect(queue.length).toBe(0);
  });

  test('hands out a key added meanwhile again, but only after its worker is done', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.get(forever);
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await queue.get(forever)).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  test('gives a key to the worker that waits longest', async () => {
    const { queue } = setUp();
    const workers = [queue.get(forever), queue.get(forever)];
    queue.add('a');
    queue.add('b');
    expect(await Promise.all(workers)).toEqual(['a', 'b']);
  });

  test('gives null to workers that wait when the signal is aborted, and keeps their keys for others', async () => {
    const { queue } = setUp();
    const stop = new AbortController();
    const waiting = queue.get(stop.signal);
    stop.abort();
    expect(await waiting).toBeNull();
    queue.add('a');
    expect(await queue.get(stop.signal)).toBeNull();
    expect(await queue.get(forever)).toBe('a');
  });

  test('adds a key when its time has come, not before', () => {
    const { clock, queue } = setUp();
    queue.addAfter('a', 5_000);
    clock.advance(4_999);
    expect(queue.length).toBe(0);
    clock.advance(1);
    expect(queue.length).toBe(1);
  });

  test.each([
    [9_000, 3_000],
    [3_000, 9_000],
  ])('lets the earlier of two due times win: %i and %i ms', (firstMs, secondMs) => {
    const { clock, queue } = setUp();
    queue.addAfter('a', firstMs);
    queue.addAfter('a', secondMs);
    expect(clock.timers()).toEqual([3_000]);
    clock.advance(3_000);
    expect(queue.length).toBe(1);
  });

  test('comes back within a day even if asked for more, and at once if asked for less than nothing', () => {
    const { clock, queue } = setUp();
    queue.addAfter('a', 1e12);
    queue.addAfter('b', -5);
    expect(clock.timers()).toEqual([0, 86_400_000]);
    expect(() => queue.addAfter('c', Number.NaN)).toThrow(RangeError);
  });

  test.each([
    [0, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000]],
    [0.999_999, [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]],
  ])('doubles the wait of a key that fails, from 1 s to 5 min, with jitter %f', (random, waits) => {
    const { clock, queue } = setUp(random);
    for (const waitMs of waits) {
      expect(queue.retry('a')).toBe(waitMs);
      clock.advance(waitMs);
    }
    expect(queue.retry('b')).toBe(waits[0]);
    queue.forget('a');
    clock.advance(600_000);
    expect(queue.retry('a')).toBe(waits[0]);
  });

  test('brings back of many keys that fail together a hundred soon, and then ten a second', () => {
    const { clock, queue } = setUp();
    const waits = Array.from({ length: 300 }, (_, i) => queue.retry(`key-${i}`));
    expect(waits.slice(0, 110)).toEqual(Array.from({ length: 110 }, () => 1_000));
    expect(waits.slice(110, 113)).toEqual([1_100, 1_200, 1_300]);
    clock.advance(20_000);
    expect(queue.length).toBe(300);
  });

  test('tells depth, adds and retries, how long keys waited, and how long they have been worked on', async () => {
    const { clock, registry, queue } = setUp();
    for (const key of ['a', 'b', 'b', 'c']) queue.add(key);
    clock.advance(2_000);
    await queue.get(forever);
    await queue.get(forever);
    queue.retry('a');
    clock.advance(500);
    queue.done('a');
    clock.advance(400);
    const text = await registry.metrics();
    expect(text).toContain('workqueue_depth{name="feeds"} 1');
    expect(text).toContain('workqueue_adds_total{name="feeds"} 3');
    expect(text).toContain('workqueue_retries_total{name="feeds"} 1');
    expect(text).toContain('workqueue_queue_duration_seconds_sum{name="feeds"} 4');
    expect(text).toContain('workqueue_queue_duration_seconds_count{name="feeds"} 2');
    expect(text).toContain('workqueue_work_duration_seconds_sum{name="feeds"} 0.5');
    expect(text).toContain('workqueue_unfinished_work_seconds{name="feeds"} 0.9');
    expect(text).toContain('workqueue_longest_running_processor_seconds{name="feeds"} 0.9');
  });

  test('counts the wait of a key that was added while it was worked on from when it was added', async () => {
    const { clock, registry, queue } = setUp();
    queue.add('a');
    await queue.get(forever);
    queue.add('a');
    clock.advance(3_000);
    queue.done('a');
    await queue.get(forever);
    expect(await registry.metrics()).toContain('workqueue_queue_duration_seconds_sum{name="feeds"} 3');
  });
});

describe('a change just seen', () => {
  /** Ten feeds of the first list wait, and one worker has come and taken the first. */
  async function setUpStart() {
    const made = setUp();
    for (let i = 0; i < 10; i++) made.queue.add(`first-${i}`);
    await made.queue.get(forever);
    const take = async (count: number) => {
      const taken = [];
      for (let i = 0; i < count; i++) taken.push(await made.queue.get(forever));
      return taken;
    };
    return { ...made, take };
  }

  test('goes before the first list', async () => {
    const { queue, take } = await setUpStart();
    queue.add('edited');
    expect(await take(2)).toEqual(['edited', 'first-1']);
  });

  test('of a feed of the first list takes that feed to the front, once', async () => {
    const { queue, take } = await setUpStart();
    queue.add('first-7');
    expect(queue.length).toBe(9);
    expect(await take(9)).toEqual(['first-7', ...[1, 2, 3, 4, 5, 6, 8, 9].map((i) => `first-${i}`)]);
  });

  test('of a feed that is worked on gives it a second look before other feeds have their first', async () => {
    const { queue, take } = await setUpStart();
    queue.add('first-0');
    queue.done('first-0');
    expect(await take(2)).toEqual(['first-0', 'first-1']);
  });

  test('goes before a look that was only due, and a due look does not move it back', async () => {
    const { clock, queue, take } = await setUpStart();
    queue.addAfter('due', 1_000);
    queue.addAfter('edited', 1_000);
    queue.add('edited');
    clock.advance(1_000);
    expect(await take(10)).toEqual(['edited', ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `first-${i}`)]);
    expect(await take(1)).toEqual(['due']);
  });

  test('does not keep others waiting for ever: one of four taken is of the rest', async () => {
    const { queue, take } = await setUpStart();
    for (let i = 0; i < 8; i++) queue.add(`edited-${i}`);
    const taken = await take(10);
    expect(taken.flatMap((key, index) => (key?.startsWith('first') ? [index] : []))).toEqual([3, 7]);
    expect(taken.filter((key) => key?.startsWith('edited'))).toEqual(
      Array.from({ length: 8 }, (_, i) => `edited-${i}`),
    );
  });

  test('has waited since it was first added, whatever line it stood in', async () => {
    const { clock, registry, queue, take } = await setUpStart();
    clock.advance(2_000);
    queue.add('first-9');
    clock.advance(1_000);
    await take(1);
    expect(await registry.metrics()).toContain('workqueue_queue_duration_seconds_sum{name="feeds"} 3');
    expect(await registry.metrics()).toContain('workqueue_adds_total{name="feeds"} 10');
  });
});

/** The queue, and beside it what it owes: the simplest account of the same thing. */
function setUpModel() {
  const { clock, queue } = setUp(0.5);
  const working = new Set<string>();
  // Keys added, or due, after they were last handed out: each must be handed out once more.
  const owed = new Set<string>();
  const dueMs = new Map<string, number>();
  const plan = (key: string, delayMs: number) =>
    dueMs.set(key, Math.min(dueMs.get(key) ?? Number.POSITIVE_INFINITY, clock.nowMs() + delayMs));
  const steps = {
    add(key: string) {
      queue.add(key);
      owed.add(key);
    },
    addAfter(key: string, ms: number) {
      queue.addAfter(key, ms);
      plan(key, ms);
    },
    retry(key: string) {
      plan(key, queue.retry(key));
    },
    async get() {
      if (queue.length === 0) return;
      const key = await queue.get(forever);
      expect(working).not.toContain(key);
      expect(owed).toContain(key);
      if (key !== null && owed.delete(key)) working.add(key);
    },
    done(key: string) {
      if (working.delete(key)) queue.done(key);
    },
    advance(_: string, ms: number) {
      clock.advance(ms);
      for (const [key, due] of dueMs) if (due <= clock.nowMs() && dueMs.delete(key)) owed.add(key);
    },
  };
  const waiting = () => [...owed].filter((key) => !working.has(key)).length;
  return { queue, steps, owed, waiting };
}

test('whatever happens, no key is with two workers, and none that was added is lost', async () => {
  const keys = ['a', 'b', 'c'];
  const step = fc.record({
    name: fc.constantFrom('add', 'addAfter', 'retry', 'get', 'done', 'advance'),
    key: fc.constantFrom(...keys),
    ms: fc.nat(20_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (history) => {
      const { queue, steps, owed, waiting } = setUpModel();
      for (const { name, key, ms } of history) {
        await steps[name](key, ms);
        expect(queue.length).toBe(waiting());
      }
      steps.advance('', 1e9);
      for (const key of keys) steps.done(key);
      for (const _ of keys) await steps.get();
      expect(owed).toEqual(new Set());
    }),
    { numRuns: 500 },
  );
});
