// What controller/kube/reflector.ts does about a server and a network that fail.
import { describe, expect, test } from 'vitest';
import { startReflector } from './running-reflector.ts';
import { type Call, configMap, configMapList, status } from './stub-api-server.ts';

describe('a reflector goes on', () => {
  test('from where it was, after the connection is reset in the middle of a line', async () => {
    const { stub, changes, untilChanges, passPause } = await startReflector();
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
    const { stub, passPause, logged } = await startReflector();
    misbehave(await stub.call(1));
    await passPause();
    const last = stub.calls.length;
    expect((await stub.call(last)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
    expect(logged).toMatchObject([{ level: 40, msg: 'will watch on', reflector: 'configmaps' }]);
  });

  test('from where it was, after its credentials were refused, fresh ones as well', async () => {
    const { stub, passPause } = await startReflector();
    for (const index of [1, 2]) (await stub.call(index)).json(401, status(401, 'Unauthorized', 'who?'));
    expect(await passPause()).toBe(1_200);
    expect((await stub.call(3)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
  });

  test('after the time that a refusal asks for', async () => {
    const { stub, passPause } = await startReflector();
    const refusal = status(429, 'TooManyRequests', 'busy');
    (await stub.call(1)).json(429, refusal, { 'retry-after': '7' });
    expect(await passPause()).toBe(7_000);
    expect((await stub.call(2)).watch).toBe(true);
  });

  test('with a list after the time that a refusal of the first one asks for', async () => {
    const { stub, reflector, passPause } = await startReflector({
      lists: [
        (call) => call.json(429, status(429, 'TooManyRequests', 'busy'), { 'retry-after': '20' }),
        (call) => call.json(200, configMapList('10', [configMap('a', '5')])),
      ],
    });
    expect(await passPause()).toBe(20_000);
    await reflector.synced;
    expect(stub.calls).toHaveLength(2);
  });

  test('after a silence longer than any bookmark takes', async () => {
    const { stub, passPause } = await startReflector({ idleMsMax: 50 });
    await stub.call(1);
    expect(await passPause()).toBe(1_200);
    expect((await stub.call(2)).query).toMatchObject({ watch: 'true', resourceVersion: '10' });
  });

  test.each([
    ['as status', (watch: Call) => watch.json(410, status(410, 'Expired', 'too old resource version'))],
    ['as event', (watch: Call) => watch.event('ERROR', status(410, 'Expired', 'too old resource version'))],
  ])('with a new list after 410 %s, and finds what it missed', async (_, gone) => {
    const { stub, changes, untilChanges, passPause } = await startReflector({
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
    const { stub, clock, passPause } = await startReflector();
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
    const { stub, clock, passPause } = await startReflector();
    const watch = await stub.call(1);
    if (bookmark) watch.event('BOOKMARK', configMap('', '10'));
    clock.advance(lastedMs);
    watch.end();
    await passPause();
    expect((await stub.call(2)).watch).toBe(true);
  });

  test('with one unpaged list when the server forgets the first pages before the last is read', async () => {
    const { stub, reflector } = await startReflector({
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
    const { stub, reflector, changes, passPause, untilChanges } = await startReflector({
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
    const { stub, reflector, changes, untilChanges, logged } = await startReflector({
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
    const { stub, clock, passPause } = await startReflector();
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
