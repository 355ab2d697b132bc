import { describe, expect, test } from 'vitest';
import { createLedger, noted } from '../../controller/ledger.ts';
import { type Call, startStub, status, transportTo } from './kube/stub-api-server.ts';

const place = 'cluster-1';
const path = '/api/v1/namespaces/k2-system/configmaps';

/** ConfigMaps as the API server keeps them; `trouble` may answer instead. */
async function setUp(trouble: (call: Call) => boolean = () => false) {
  const stored = new Map<string, Record<string, string>>();
  const stub = await startStub((call) => {
    if (trouble(call)) return;
    const body = call.body === '' ? {} : JSON.parse(call.body);
    const name = call.method === 'POST' ? body.metadata.name : call.path.slice(path.length + 1);
    const data = stored.get(name);
    if (call.method === 'POST') stored.set(name, {});
    else if (data === undefined) return call.json(404, status(404, 'NotFound', 'no such ConfigMap'));
    for (const [key, value] of Object.entries(body.data ?? {})) {
      if (value === null) delete data?.[key];
      else if (data) data[key] = String(value);
    }
    call.json(200, { metadata: { name }, data: stored.get(name) });
  });
  const transport = transportTo(stub);
  const open = () => createLedger({ transport, namespace: 'k2-system', fieldManager: 'me' });
  /** The one ConfigMap that there is. */
  const entries = () => [...stored.values()][0] ?? {};
  return { stub, stored, entries, ledger: open(), open };
}

const patches = (calls: Call[]) => calls.filter(({ method }) => method === 'PATCH');

describe('the ledger', () => {
  test('notes what is about to be made before it is made, in a ConfigMap that says of which place it is', async () => {
    const { stub, ledger, entries } = await setUp();
    await ledger.begin(place, ['trades', 'raw']);
    expect(entries()).toEqual({ trades: 'making', raw: 'making' });
    const [creation] = stub.calls.filter(({ method }) => method === 'POST');
    expect(JSON.parse(creation?.body ?? '{}').metadata).toMatchObject({
      namespace: 'k2-system',
      annotations: { 'feeds.k2.dev/ledger-of': place },
    });
    expect([...(await ledger.made(place))]).toEqual([]);
    await ledger.end(place, { made: ['trades'], found: ['raw'] });
    expect(entries()).toEqual({ trades: 'made' });
    expect([...(await ledger.made(place))]).toEqual(['trades']);
  });

  test('forgets what is gone', async () => {
    const { ledger, entries } = await setUp();
    await ledger.begin(place, ['trades']);
    await ledger.end(place, { made: ['trades'], found: [] });
    await ledger.forget(place, ['trades', 'never-noted']);
    expect(entries()).toEqual({});
  });

  test('of another process is read, and what that one did not end to make counts as not made', async () => {
    const { ledger, open } = await setUp();
    await ledger.begin(place, ['trades', 'raw']);
    await ledger.end(place, { made: ['trades'], found: [] });
    expect([...(await open().made(place))]).toEqual(['trades']);
  });

  test('has a ConfigMap for each place', async () => {
    const { ledger, stored } = await setUp();
    await ledger.begin(place, ['trades']);
    await ledger.begin('https://registry:8081', ['trades-value']);
    expect([...stored.values()]).toEqual([{ trades: 'making' }, { 'trades-value': 'making' }]);
  });

  test('keeps a topic that a feed finds there because another feed has just made it', async () => {
    const { ledger, entries } = await setUp();
    await Promise.all([ledger.begin(place, ['trades']), ledger.begin(place, ['trades'])]);
    await ledger.end(place, { made: ['trades'], found: [] });
    await ledger.end(place, { made: [], found: ['trades'] });
    expect(entries()).toEqual({ trades: 'made' });
    await ledger.begin(place, ['trades']);
    await ledger.end(place, { made: [], found: ['trades'] });
    expect(entries()).toEqual({ trades: 'made' });
  });

  test('writes what many feeds note at once in few requests, and loses none of it', async () => {
    const { stub, ledger, entries } = await setUp();
    const names = Array.from({ length: 50 }, (_, index) => `topic-${index}`);
    await Promise.all(names.map((name) => ledger.begin(place, [name])));
    expect(Object.keys(entries()).sort()).toEqual(names.toSorted());
    expect(patches(stub.calls).length).toBeLessThan(5);
  });

  test('touches no entry of others', async () => {
    const { ledger, entries, open } = await setUp();
    await ledger.begin(place, ['trades']);
    await open().begin(place, ['raw']);
    expect(entries()).toEqual({ trades: 'making', raw: 'making' });
  });

  test('is read again when asked to, in case that a person took an entry out', async () => {
    const { ledger, entries } = await setUp();
    await ledger.begin(place, ['trades']);
    await ledger.end(place, { made: ['trades'], found: [] });
    delete entries().trades;
    expect((await ledger.made(place)).size).toBe(1);
    expect((await ledger.made(place, 'fresh')).size).toBe(0);
  });
});

describe('a ledger that cannot be written', () => {
  test('says so before anything is made', async () => {
    const { ledger } = await setUp((call) => {
      if (call.method === 'PATCH') call.json(403, status(403, 'Forbidden', 'cannot patch configmaps'));
      return call.method === 'PATCH';
    });
    await expect(noted('TopicRefused', ledger.begin(place, ['trades']))).rejects.toMatchObject({
      reason: 'TopicRefused',
      message: expect.stringMatching(/^the ledger of what the operator made: .*cannot patch configmaps/),
    });
  });

  test('for one topic takes others all the same', async () => {
    const { ledger, entries } = await setUp((call) => {
      const isTooLong = call.method === 'PATCH' && call.body.includes('too-long');
      if (isTooLong) call.json(422, status(422, 'Invalid', 'too long'));
      return isTooLong;
    });
    await expect(ledger.begin(place, ['too-long'])).rejects.toThrow('too long');
    await ledger.begin(place, ['trades']);
    expect(entries()).toEqual({ trades: 'making' });
  });

  test('for a moment catches up: what was made is not forgotten', async () => {
    let isBroken = false;
    const { ledger, entries } = await setUp((call) => {
      if (isBroken) call.json(500, status(500, 'InternalError', 'etcd is away'));
      return isBroken;
    });
    await ledger.begin(place, ['trades']);
    isBroken = true;
    await expect(ledger.end(place, { made: ['trades'], found: [] })).rejects.toThrow('etcd is away');
    isBroken = false;
    expect([...(await ledger.made(place))]).toEqual(['trades']);
    expect(entries()).toEqual({ trades: 'made' });
  });

  test('at the first look is looked at again the next time', async () => {
    let isBroken = true;
    const { ledger } = await setUp((call) => {
      if (isBroken) call.json(500, status(500, 'InternalError', 'etcd is away'));
      return isBroken;
    });
    await expect(ledger.made(place)).rejects.toThrow('etcd is away');
    isBroken = false;
    expect((await ledger.made(place)).size).toBe(0);
  });
});
