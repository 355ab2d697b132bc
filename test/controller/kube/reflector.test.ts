import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { path, startReflector } from './running-reflector.ts';
import { type Call, configMap, configMapList } from './stub-api-server.ts';

describe('a reflector', () => {
  test('lists, then watches from there with bookmarks and a time of its own', async () => {
    const { stub, reflector, changes } = await startReflector();
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
    const { stub, reflector } = await startReflector({
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

  test('asks for metadata alone where that is enough, and keeps no annotation, which may quote the rest', async () => {
    const noted = configMap('a', '5');
    noted.metadata.annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"password":"c2VjcmV0"}}',
    };
    const list = (call: Call) => call.json(200, configMapList('10', [noted]));
    const { stub, reflector, untilChanges } = await startReflector({ lists: [list], isMetadataOnly: true });
    const [listed, watch] = [await stub.call(0), await stub.call(1)];
    expect([listed, watch].map(({ headers }) => headers.accept)).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
    watch.event('MODIFIED', { ...noted, metadata: { ...noted.metadata, resourceVersion: '11' } });
    await untilChanges(2);
    expect(reflector.get('shop/a')?.metadata.resourceVersion).toBe('11');
    expect(JSON.stringify(reflector.list())).not.toContain('c2VjcmV0');
  });

  test('follows what is added, changed and deleted, and tells old and new', async () => {
    const { stub, reflector, changes, untilChanges } = await startReflector();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('b', '11'));
    watch.event('MODIFIED', configMap('a', '12'));
    watch.event('DELETED', configMap('b', '13'));
    await untilChanges(4);
    expect(changes.slice(1)).toEqual(['shop/b none -> 11', 'shop/a 5 -> 12', 'shop/b 11 -> none']);
    expect(reflector.list()).toEqual([configMap('a', '12')]);
  });

  test('says nothing about what it knows already', async () => {
    const { stub, changes, untilChanges } = await startReflector();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('a', '5'));
    watch.event('DELETED', configMap('never-seen', '6'));
    watch.event('MODIFIED', configMap('a', '7'));
    await untilChanges(2);
    expect(changes).toEqual(['shop/a none -> 5', 'shop/a 5 -> 7']);
  });

  test('goes on at once, from the last bookmark, when the server ends a watch after minutes', async () => {
    const { stub, clock } = await startReflector();
    const watch = await stub.call(1);
    watch.event('BOOKMARK', configMap('', '99'));
    clock.advance(300_000);
    watch.end();
    expect(await clock.timer()).toBe(0);
    clock.advance(0);
    expect((await stub.call(2)).query).toMatchObject({ watch: 'true', resourceVersion: '99' });
  });

  test('counts lists and watches', async () => {
    const { stub, registry } = await startReflector();
    await stub.call(1);
    const text = await registry.metrics();
    expect(text).toContain('reflector_lists_total{name="configmaps"} 1');
    expect(text).toContain('reflector_watches_total{name="configmaps"} 1');
  });

  test('refuses to run twice', async () => {
    const { reflector, stop } = await startReflector();
    await expect(reflector.run(stop.signal)).rejects.toThrow('it runs already');
  });
});

test('a reflector that reconnects a hundred times leaves no listener on the signal that ends it', async () => {
  const { stub, stop, passPause } = await startReflector();
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
    const { stub, clock, logged, end } = await startReflector({ lists });
    await stub.call(calls);
    await end();
    await stub.idle();
    expect(clock.timers()).toEqual([]);
    expect(logged).toEqual([]);
  });

  test('while it pauses ends at once', async () => {
    const { stub, clock, end } = await startReflector();
    (await stub.call(1)).reset();
    await clock.timer();
    await end();
    expect(clock.timers()).toEqual([]);
    expect(stub.calls).toHaveLength(2);
  });

  test('tells no change afterwards', async () => {
    const { stub, changes, end } = await startReflector();
    const watch = await stub.call(1);
    watch.event('ADDED', configMap('b', '11'));
    await end();
    const told = changes.length;
    watch.event('ADDED', configMap('c', '12'));
    await stub.idle();
    expect(changes).toHaveLength(told);
  });

  test('before its first list rejects whoever waits for that', async () => {
    const { stub, reflector, end } = await startReflector({ lists: [() => {}] });
    await stub.call(0);
    await end();
    await expect(reflector.synced).rejects.toThrow('shutting down');
  });
});
