import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { KubeError } from '../../../controller/kube/errors.ts';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import { createQueue } from '../../../controller/kube/queue.ts';
import { type Outcome, runWorkers, TerminalError } from '../../../controller/kube/workers.ts';
import { createFakeClock } from './fake-clock.ts';

function setUp(reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>, concurrency = 1) {
  const clock = createFakeClock();
  const registry = new Registry();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = createKubeMetrics(registry);
  const queue = createQueue({ name: 'feed', clock, random: () => 0, metrics });
  const stop = new AbortController();
  const ended = runWorkers({ controller: 'feed', queue, concurrency, reconcile, log, metrics }, stop.signal);
  const end = async () => {
    stop.abort(new Error('shutting down'));
    await ended;
  };
  return { clock, registry, lines, queue, stop, ended, end };
}

/** Outcomes in turn, and how many were taken. */
function outcomes(...list: (Outcome | Error)[]) {
  const taken: string[] = [];
  const reconcile = async (key: string): Promise<Outcome> => {
    const outcome = list[taken.length] ?? 'done';
    taken.push(key);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  return { taken, reconcile };
}

/** Everything that can run without time passing has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a key that is done stays away until it is added again', async () => {
  const { taken, reconcile } = outcomes();
  const { queue, clock, end, registry } = setUp(reconcile);
  queue.add('a');
  await settled();
  expect(clock.timers()).toEqual([]);
  queue.add('a');
  await settled();
  expect(taken).toEqual(['a', 'a']);
  await end();
  expect(await registry.metrics()).toContain(
    'controller_runtime_reconcile_total{controller="feed",result="success"} 2',
  );
});

test('a key that asks to come back does so after that time, with its failures forgotten', async () => {
  const { taken, reconcile } = outcomes(new Error('broker down'), { requeueAfterMs: 30_000 }, new Error('down again'));
  const { queue, clock, end } = setUp(reconcile);
  queue.add('a');
  await settled();
  expect(clock.timers()).toEqual([1_000]);
  clock.advance(1_000);
  await settled();
  expect(clock.timers()).toEqual([30_000]);
  clock.advance(30_000);
  await settled();
  expect(clock.timers()).toEqual([1_000]);
  expect(taken).toHaveLength(3);
  await end();
});

test('a key that fails comes back later and later, and each failure is a warning with its key', async () => {
  const { reconcile } = outcomes(new Error('one'), new Error('two'));
  const { queue, clock, end, lines, registry } = setUp(reconcile);
  queue.add('shop/a');
  await settled();
  expect(clock.timers()).toEqual([1_000]);
  clock.advance(1_000);
  await settled();
  expect(clock.timers()).toEqual([2_000]);
  expect(lines).toMatchObject([
    { level: 40, key: 'shop/a', retryAfterMs: 1_000 },
    { level: 40, key: 'shop/a', retryAfterMs: 2_000 },
  ]);
  await end();
  expect(await registry.metrics()).toContain('controller_runtime_reconcile_errors_total{controller="feed"} 2');
});

test('a key that fails for good does not come back by itself', async () => {
  const { reconcile, taken } = outcomes(new TerminalError('partitions can only grow'));
  const { queue, clock, end, lines, registry } = setUp(reconcile);
  queue.add('a');
  await settled();
  expect(clock.timers()).toEqual([]);
  expect(lines).toMatchObject([{ level: 50, key: 'a' }]);
  queue.add('a');
  await settled();
  expect(taken).toHaveLength(2);
  await end();
  const text = await registry.metrics();
  expect(text).toContain('{controller="feed",result="error"} 1');
  expect(text).toContain('controller_runtime_terminal_reconcile_errors_total{controller="feed"} 1');
});

test('a conflict comes back soon, and nobody is warned', async () => {
  const { reconcile } = outcomes(new KubeError(409, 'Conflict', 'the object has been modified'));
  const { queue, clock, end, lines, registry } = setUp(reconcile);
  queue.add('a');
  await settled();
  expect(clock.timers()).toEqual([1_000]);
  expect(lines).toMatchObject([{ level: 20, key: 'a' }]);
  await end();
  const text = await registry.metrics();
  expect(text).toContain('{controller="feed",result="requeue"} 1');
  expect(text).not.toContain('controller_runtime_reconcile_errors_total{');
});

test('no more keys are worked on at once than the concurrency, and none twice', async () => {
  const finish: (() => void)[] = [];
  const { queue, end, registry } = setUp(async () => {
    await new Promise<void>((resolve) => finish.push(resolve));
    return 'done';
  }, 3);
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
  queue.add('a');
  await settled();
  expect(finish).toHaveLength(3);
  expect(await registry.metrics()).toContain('controller_runtime_active_workers{controller="feed"} 3');
  queue.add('a');
  await settled();
  expect(finish).toHaveLength(3);
  for (let i = 0; i < 6; i++) {
    finish[i]?.();
    await settled();
  }
  expect(finish).toHaveLength(6);
  await end();
  const text = await registry.metrics();
  expect(text).toContain('controller_runtime_active_workers{controller="feed"} 0');
  expect(text).toContain('controller_runtime_max_concurrent_reconciles{controller="feed"} 3');
  expect(text).toContain('controller_runtime_reconcile_time_seconds_count{controller="feed"} 6');
});

test('after the signal, what is under way is waited for, nothing new begins, and its abort is no failure', async () => {
  let begun = 0;
  const { queue, stop, ended, lines, clock } = setUp((_, signal) => {
    begun++;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  queue.add('a');
  queue.add('b');
  await settled();
  stop.abort(new Error('shutting down'));
  await ended;
  expect(begun).toBe(1);
  expect(lines).toEqual([]);
  expect(clock.timers()).toEqual([]);
});

test('a reconcile that throws before its first await is a failure like any other', async () => {
  const { queue, clock, end } = setUp(() => {
    throw new TypeError('not even a promise');
  });
  queue.add('a');
  await settled();
  expect(clock.timers()).toEqual([1_000]);
  await end();
});
