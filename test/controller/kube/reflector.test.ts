import { getEventListeners } from 'node:events';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createReflector } from '../../../controller/kube/reflector.ts';
import { createTransport } from '../../../controller/kube/transport.ts';
import { createFakeClock } from './fake-clock.ts';
import { type Call, configMap, configMapList, type StubApiServer, startStub, status } from './stub-api-server.ts';

const path = '/api/v1/namespaces/shop/configmaps';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface SetUp {
  /** Lists in turn, the last one for ever; watches are left open for the test to speak on. */
  lists?: ((call: Call) => void)[];
  onChange?: () => void;
  idleMsMax?: number;
}

/** A running reflector, on a clock that the test moves, against a server whose watches the test holds. */
async function setUp({ lists = [], onChange, idleMsMax = 60_000 }: SetUp = {}) {
  let listed = 0;
  const stub: StubApiServer = await startStub((call) => {
    if (call.watch) return;
    const list = lists[Math.min(listed++, lists.length - 1)];
    if (list) list(call);
    else call.json(200, configMapList('10', [configMap('a', '5')]));
  });
  const clock = createFakeClock();
  const registry = new Registry();
  const changes: string[] = [];
  const logged: Record<string, unknown>[] = [];
  const transport = createTransport(stub.kubeConfig, { userAgent: 'tester/1', random: () => 0 });
  const version = (object: KubeObject | null) => object?.metadata.resourceVersion ?? 'none';
  const reflector = createReflector({
    name: 'configmaps',
    transport,
    path,
    labelSelector: 'app=shop',
    onChange: (key, previous, current) => {
      changes.push(`${key} ${version(previous)} -> ${version(current)}`);
      onChange?.();
    },
    clock,
    random: () => 0.5,
    log: pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    metrics: createKubeMetrics(registry),
    idleMsMax,
  });
  const stop = new AbortController();
  const ended = reflector.run(stop.signal);
  const end = async () => {
    stop.abort(new Error('shutting down'));
    await ended;
  };
  ending.push(stub.close, transport.close, end);
  const untilChanges = (count: number) =>
    vi.waitFor(() => expect(changes.length).toBeGreaterThanOrEqual(count), { interval: 2, timeout: 4_000 });
  /** Waits until the reflector pauses, ends the pause, and returns how long it was to be. */
  const passPause = async () => {
    const pauseMs = await clock.timer();
    clock.advance(pauseMs);
    return pauseMs;
  };
  return { stub, clock, registry, changes, logged, reflector, stop, ended, end, untilChanges, passPause };
}

describe('a reflector', () => {
  test('lists, then watches from there with bookmarks and a time of its own', async () => {
    const { stub, reflector, changes } = await setUp();
    await reflector.synced;
    const [list, watch] = [await stub.call(0), await stub.call(1)];
    expect(list).toMatchObject({ path, query: { labelSelector: 'app=shop', limit: '500' } });
    expect(watch.query).toEqual({
      labelSelector: 'app=shop',
      watch: 'true',
      resourceVersion: '10',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '450',
    });
    expect(changes).toEqual(['shop/a none -> 5']);
    expect(reflector.get('shop/a')).toEqual(configMap('a', '5'));
    expect(reflector.get('shop/b')).toBeNull();
  });

  test('puts the pages of a list together', async () => {
    const { stub, reflector } = await setUp({
      lists: [
        (call) => call.json(200, configMapList('10', [configMap('a', '1')], 'page 2')),
        (call) => call.json(200, configMapList('10', [configMap('b', '2')], 'page 3')),
        (call) => call.json(200, configMapList('10', [configMap('c', '3')])),
      ],
    });
    await reflector.synced;
    expect(stub.calls.slice(0, 3).map((call) => call.query.continue)).toEqual([undefined, 'page 2', 'page 3']);
    expect(reflector.list().map((object) => object.metadata.name)).toEqual(['a', 'b', 'c']);
  });

  test('follows what is added, changed and deleted, and tells old and new', async () => {
    const { stub, reflector, changes, untilChanges } = await setUp();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('b', '11'));
    watch.event('MODIFIED', configMap('a', '12'));
    watch.event('DELETED', configMap('b', '13'));
    await untilChanges(4);
    expect(changes.slice(1)).toEqual(['shop/b none -> 11', 'shop/a 5 -> 12', 'shop/b 11 -> none']);
    expect(reflector.list()).toEqual([configMap('a', '12')]);
  });

  test('says nothing about what it knows already', async () => {
    const { stub, changes, untilChanges } = await setUp();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('a', '5'));
    watch.event('DELETED', configMap('never-seen', '6'));
    watch.event('MODIFIED', configMap('a', '7'));
    await untilChanges(2);
    expect(changes).toEqual(['shop/a none -> 5', 'shop/a 5 -> 7']);
  });

  test('goes on at once, from the last bookmark, when the server ends a watch after minutes', async () => {
    const { stub, clock } = await setUp();
    const watch = await stub.call(1);
    watch.event('BOOKMARK', configMap('', '99'));
    clock.advance(300_000);
    watch.end();
    expect(await clock.timer()).toBe(0);
    clock.advance(0);
    expect((await stub.call(2)).query).toMatchObject({ watch: 'true', resourceVersion: '99' });
  });

  test('counts lists and watches', async () => {
    const { stub, registry } = await setUp();
    await stub.call(1);
    const text = await registry.metrics();
    expect(text).toContain('reflector_lists_total{name="configmaps"} 1');
    expect(text).toContain('reflector_watches_total{name="configmaps"} 1');
  });

  test('refuses to run twice', async () => {
    const { reflector, stop } = await setUp();
    await expect(reflector.run(stop.signal)).rejects.toThrow('it runs already');
  });
});

describe('a reflector goes on', () => {
  test('from where it was, after the connection is reset in the middle of a line', async () => {
    const { stub, changes, untilChanges, passPause } = await setUp();
    const watch = await stub.call(1);
    watch.event('MODIFIED', configMap('a', '11'));
    await untilChanges(2);
    watch.send('{"type":"MODIFIED","object":{"metad');
    watch.reset();
    expect(await passPause()).toBe(1_200);
    const again = await stub.call(2);
    expect(again.query).toMatchObject({ watch: 'true', resourceVersion: '11' });
    again.event('MODIFIED', configMap('a', '12'));
    await untilChanges(3);
    expect(changes.at(-1)).toBe('shop/a 11 -> 12');
  });

  test.each([
    ['a line that is no JSON', (watch: Call) => watch.send('<html>\n')],
    ['an event without an object', (watch: Call) => watch.send('{"type":"ADDED"}\n')],
    ['a line cut off by a clean end', (watch: Call) => watch.end('{"type":')],
    ['500', (watch: Call) => watch.json(500, status(500, 'InternalError', 'etcd'))],
    ['403', (watch: Call) => watch.json(403, status(403, 'Forbidden', 'no'))],
    ['an ERROR event', (watch: Call) => watch.event('ERROR', status(500, 'InternalError', 'oops'))],
  ])('from where it was, after %s', async (_, misbehave) => {
    const { stub, passPause, logged } = await setUp();
    misbehave(await stub.call(1));
    await passPause();
    const last = stub.calls.length;
    expect((await stub.call(last)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
    expect(logged).toMatchObject([{ level: 40, msg: 'will watch on', reflector: 'configmaps' }]);
  });

  test('from where it was, after its credentials were refused, fresh ones as well', async () => {
    const { stub, passPause } = await setUp();
    for (const index of [1, 2]) (await stub.call(index)).json(401, status(401, 'Unauthorized', 'who?'));
    expect(await passPause()).toBe(1_200);
    expect((await stub.call(3)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
  });

  test('after the time that a refusal asks for', async () => {
    const { stub, passPause } = await setUp();
    const refusal = status(429, 'TooManyRequests', 'busy');
    (await stub.call(1)).json(429, refusal, { 'retry-after': '7' });
    expect(await passPause()).toBe(7_000);
    expect((await stub.call(2)).watch).toBe(true);
  });

  test('after a silence longer than any bookmark takes', async () => {
    const { stub, passPause } = await setUp({ idleMsMax: 50 });
    await stub.call(1);
    expect(await passPause()).toBe(1_200);
    expect((await stub.call(2)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
  });

  test.each([
    ['as status', (watch: Call) => watch.json(410, status(410, 'Expired', 'too old resource version'))],
    ['as event', (watch: Call) => watch.event('ERROR', status(410, 'Expired', 'too old resource version'))],
  ])('with a new list after 410 %s, and finds what it missed', async (_, gone) => {
    const { stub, changes, untilChanges, passPause } = await setUp({
      lists: [
        (call) => call.json(200, configMapList('10', [configMap('a', '5'), configMap('b', '6'), configMap('c', '7')])),
        (call) =>
          call.json(200, configMapList('50', [configMap('b', '6'), configMap('c', '40'), configMap('d', '41')])),
      ],
    });
    gone(await stub.call(1));
    await passPause();
    await untilChanges(6);
    expect(changes.slice(3)).toEqual(['shop/c 7 -> 40', 'shop/d none -> 41', 'shop/a 5 -> none']);
    expect((await stub.call(3)).query).toMatchObject({ watch: 'true', resourceVersion: '50' });
  });

  test('with a new list after a watch that was closed at once and said nothing', async () => {
    const { stub, clock, passPause } = await setUp();
    const watch = await stub.call(1);
    clock.advance(1_999);
    watch.end();
    await passPause();
    expect((await stub.call(2)).watch).toBe(false);
  });

  test.each([
    ['that lasted two seconds', 2_000, false],
    ['that brought a bookmark', 0, true],
  ])('without a new list after a short watch %s', async (_, lastedMs, bookmark) => {
    const { stub, clock, passPause } = await setUp();
    const watch = await stub.call(1);
    if (bookmark) watch.event('BOOKMARK', configMap('', '10'));
    clock.advance(lastedMs);
    watch.end();
    await passPause();
    expect((await stub.call(2)).watch).toBe(true);
  });

  test('with one unpaged list when the server forgets the first pages before the last is read', async () => {
    const { stub, reflector } = await setUp({
      lists: [
        (call) => call.json(200, configMapList('10', [configMap('stale', '1')], 'page 2')),
        (call) => call.json(410, status(410, 'Expired', 'the continue token is too old')),
        (call) => call.json(200, configMapList('20', [configMap('fresh', '15')])),
      ],
    });
    await reflector.synced;
    expect(stub.calls[2]?.query).toEqual({ labelSelector: 'app=shop' });
    expect(reflector.list()).toEqual([configMap('fresh', '15')]);
  });

  test('with the old copy kept, while the server cannot list', async () => {
    const { stub, reflector, changes, passPause, untilChanges } = await setUp({
      lists: [
        (call) => call.json(200, configMapList('10', [configMap('a', '5')])),
        (call) => call.json(500, status(500, 'InternalError', 'etcd')),
        (call) => call.json(200, configMapList('30', [configMap('a', '25')])),
      ],
    });
    (await stub.call(1)).json(410, status(410, 'Expired', 'too old'));
    await passPause();
    expect(await passPause()).toBe(2_400);
    await untilChanges(2);
    expect(changes).toEqual(['shop/a none -> 5', 'shop/a 5 -> 25']);
    expect(reflector.list()).toHaveLength(1);
  });

  test('after a change handler that throws, which is logged', async () => {
    const { stub, reflector, changes, untilChanges, logged } = await setUp({
      onChange: () => {
        throw new Error('handler bug');
      },
    });
    (await stub.call(1)).event('MODIFIED', configMap('a', '11'));
    await untilChanges(2);
    expect(changes).toHaveLength(2);
    expect(reflector.get('shop/a')?.metadata.resourceVersion).toBe('11');
    expect(logged[0]).toMatchObject({ level: 50, key: 'shop/a', msg: 'the change handler failed' });
  });

  test('ever more slowly while nothing works, and quickly again after a good minute', async () => {
    const { stub, clock, passPause } = await setUp();
    const pauses: number[] = [];
    for (let i = 1; i <= 7; i++) {
      (await stub.call(i)).reset();
      pauses.push(await passPause());
    }
    expect(pauses).toEqual([1_200, 2_400, 4_800, 9_600, 19_200, 22_500, 22_500]);
    const good = await stub.call(8);
    clock.advance(60_000);
    good.reset();
    expect(await passPause()).toBe(0);
    (await stub.call(9)).reset();
    expect(await passPause()).toBe(1_200);
  });
});

test('a reflector that reconnects a hundred times leaves no listener on the signal that ends it', async () => {
  const { stub, stop, passPause } = await setUp();
  await stub.call(1);
  const before = getEventListeners(stop.signal, 'abort').length;
  for (let i = 1; i <= 100; i++) {
    (await stub.call(i)).reset();
    await passPause();
  }
  await stub.call(101);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(before);
});

describe('a reflector that is ended', () => {
  test.each([
    ['while it lists', 0, [() => {}]],
    ['while it watches', 1, []],
  ])('%s leaves no request, no timer and no error', async (_, calls, lists) => {
    const { stub, clock, logged, end } = await setUp({ lists });
    await stub.call(calls);
    await end();
    await stub.idle();
    expect(clock.timers()).toEqual([]);
    expect(logged).toEqual([]);
  });

  test('while it pauses ends at once', async () => {
    const { stub, clock, end } = await setUp();
    (await stub.call(1)).reset();
    await clock.timer();
    await end();
    expect(clock.timers()).toEqual([]);
    expect(stub.calls).toHaveLength(2);
  });

  test('tells no change afterwards', async () => {
    const { stub, changes, end } = await setUp();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('b', '11'));
    await end();
    const told = changes.length;
    watch.event('ADDED', configMap('c', '12'));
    await stub.idle();
    expect(changes).toHaveLength(told);
  });

  test('before its first list rejects whoever waits for that', async () => {
    const { stub, reflector, end } = await setUp({ lists: [() => {}] });
    await stub.call(0);
    await end();
    await expect(reflector.synced).rejects.toThrow('shutting down');
  });
});
