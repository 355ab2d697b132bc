// The watch of controller/kube/transport.ts.
import { describe, expect, test } from 'vitest';
import { isGone, TransportError } from '../../../controller/kube/errors.ts';
import type { WatchEvent } from '../../../controller/kube/transport.ts';
import { configMap, type StubApiServer, startStub, status, transportTo } from './stub-api-server.ts';

const path = '/api/v1/namespaces/shop/configmaps';

async function allEvents(events: AsyncIterable<WatchEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, object } of events) seen.push(`${type} ${object.metadata.name}`);
  return seen;
}

describe('a watch', () => {
  const watch = (stub: StubApiServer, signal = new AbortController().signal, idleMsMax = 10_000) =>
    transportTo(stub).watch(path, { resourceVersion: '5' }, { signal, idleMsMax });

  test('yields the events until the server ends it', async () => {
    const stub = await startStub((call) => {
      call.event('ADDED', configMap('a', '6'));
      call.event('BOOKMARK', configMap('', '7'));
      call.end();
    });
    expect(await allEvents(watch(stub))).toEqual(['ADDED a', 'BOOKMARK ']);
    expect((await stub.call(0)).query).toEqual({ resourceVersion: '5', watch: 'true' });
  });

  test('fails with the Status of an ERROR event', async () => {
    const stub = await startStub((call) => call.event('ERROR', status(410, 'Expired', 'too old resource version')));
    const error = await allEvents(watch(stub)).catch((it: unknown) => it);
    expect(isGone(error)).toBe(true);
    await stub.idle();
  });

  test('fails with a status other than 200', async () => {
    const stub = await startStub((call) => call.json(410, status(410, 'Expired', 'too old')));
    await expect(allEvents(watch(stub))).rejects.toSatisfy(isGone);
  });

  test('fails when the connection is reset in the middle of a line', async () => {
    const stub = await startStub(() => {});
    const events = watch(stub);
    const first = events.next();
    const call = await stub.call(0);
    call.event('ADDED', configMap('a', '6'));
    expect(await first).toMatchObject({ value: { type: 'ADDED' } });
    const second = events.next();
    call.send('{"type":"MODI');
    call.reset();
    await expect(second).rejects.toThrow(TransportError);
  });

  test.each([
    ['a line without its end', '{"type":"ADDED","obj', 'the stream ended'],
    ['a line that is no JSON', '{"type":\n', 'JSON'],
  ])('fails on %s', async (_, bytes, message) => {
    const stub = await startStub((call) => {
      call.send(bytes);
      call.end();
    });
    await expect(allEvents(watch(stub))).rejects.toThrow(message);
  });

  test('fails on a line that never ends, before it fills the memory', async () => {
    const stub = await startStub((call) => {
      for (let i = 0; i < 20; i++) call.send('x'.repeat(1024 * 1024));
    });
    await expect(allEvents(watch(stub))).rejects.toThrow('a line is longer than 16777216 bytes');
    await stub.idle();
  });

  test('fails when the server is silent, before or after the headers', async () => {
    const stub = await startStub((call, index) => index === 1 && call.send('\n'));
    await expect(allEvents(watch(stub, undefined, 50))).rejects.toThrow(TransportError);
    await expect(allEvents(watch(stub, undefined, 50))).rejects.toThrow(TransportError);
    await stub.idle();
  });

  test('ends with the request when its reader stops reading', async () => {
    const stub = await startStub((call) => call.event('ADDED', configMap('a', '6')));
    for await (const _ of watch(stub)) break;
    await stub.idle();
  });

  test.each(['before the answer', 'after the headers', 'between events'])(
    'ends at once when aborted %s',
    async (when) => {
      const stub = await startStub((call) => {
        if (when === 'after the headers') call.send('\n');
        if (when === 'between events') call.event('ADDED', configMap('a', '6'));
      });
      const stop = new AbortController();
      const reading = allEvents(watch(stub, stop.signal));
      await stub.call(0);
      stop.abort(new Error('enough'));
      await expect(reading).rejects.toThrow('enough');
      await stub.idle();
    },
  );

  test('that is aborted while it connects never reaches the server', async () => {
    const stub = await startStub((call) => call.event('ADDED', configMap('a', '6')));
    const stop = new AbortController();
    const reading = allEvents(watch(stub, stop.signal));
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    expect(stub.calls).toHaveLength(0);
  });
});
