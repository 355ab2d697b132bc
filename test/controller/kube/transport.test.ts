import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../controller/kube/clock.ts';
import type { KubeConfig } from '../../../controller/kube/connection.ts';
import { isConflict, isGone, isNotFound, KubeError, TransportError } from '../../../controller/kube/errors.ts';
import { createKubeMetrics, type KubeMetrics } from '../../../controller/kube/metrics.ts';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createTransport, type Transport, type WatchEvent } from '../../../controller/kube/transport.ts';
import { selfSigned } from './certificate.ts';
import { createFakeClock } from './fake-clock.ts';
import { type Call, configMap, type StubApiServer, startStub, status } from './stub-api-server.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function stubOf(answer: (call: Call, index: number) => void): Promise<StubApiServer> {
  const stub = await startStub(answer);
  ending.push(stub.close);
  return stub;
}

function transportTo(
  { kubeConfig }: { kubeConfig: KubeConfig },
  more: { clock?: Clock; metrics?: KubeMetrics } = {},
): Transport {
  const transport = createTransport(kubeConfig, { userAgent: 'tester/1', random: () => 0, ...more });
  ending.push(transport.close);
  return transport;
}

const path = '/api/v1/namespaces/shop/configmaps';
const soon = { idleMsMax: 10_000 };

async function allEvents(events: AsyncIterable<WatchEvent<KubeObject>>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, object } of events) seen.push(`${type} ${object.metadata.name}`);
  return seen;
}

describe('a request', () => {
  test('sends method, path, query, credentials and JSON, and resolves to the answer', async () => {
    const stub = await stubOf((call) => call.json(200, { kind: 'ConfigMap' }));
    const options = { query: { fieldManager: 'me', force: true, absent: undefined }, body: { data: { a: 'ü' } } };
    expect(await transportTo(stub).request('PATCH', path, { ...options, contentType: 'text/x' })).toEqual({
      kind: 'ConfigMap',
    });
    const call = await stub.call(0);
    expect(call).toMatchObject({ method: 'PATCH', path, query: { fieldManager: 'me', force: 'true' } });
    expect(call.headers).toMatchObject({ authorization: 'Bearer token-1', 'user-agent': 'tester/1' });
    expect(call.headers['content-type']).toBe('text/x');
    expect(call.body).toBe('{"data":{"a":"ü"}}');
  });

  test('keeps the path at which the API server sits behind a gateway', async () => {
    const stub = await stubOf((call) => call.json(200, {}));
    const cluster = { name: 'stub', server: `${stub.url}/k8s/clusters/c1/`, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'tester' });
    await transportTo(stub).request('GET', path);
    expect((await stub.call(0)).path).toBe(`/k8s/clusters/c1${path}`);
  });

  test('uses the same connections again: two serve 300 requests after each other', async () => {
    const stub = await stubOf((call) => call.json(200, {}));
    const transport = transportTo(stub);
    for (let i = 0; i < 300; i++) await transport.request('GET', path);
    expect(stub.connections).toBeLessThanOrEqual(2);
  });

  test('never waits for a watch, however many there are', async () => {
    const stub = await stubOf((call) => (call.watch ? call.send('') : call.json(200, {})));
    const transport = transportTo(stub);
    const stop = new AbortController();
    const watches = Array.from({ length: 20 }, () =>
      transport
        .watch(path, {}, { signal: stop.signal, ...soon })
        .next()
        .catch(() => 'ended'),
    );
    await stub.call(19);
    await transport.request('GET', path);
    stop.abort();
    expect(new Set(await Promise.all(watches))).toEqual(new Set(['ended']));
  });

  test('fails with what the server says', async () => {
    const stub = await stubOf((call) => call.json(404, status(404, 'NotFound', 'configmaps "a" not found')));
    const error = await transportTo(stub)
      .request('GET', `${path}/a`)
      .catch((it: unknown) => it);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ status: 404, reason: 'NotFound', retryAfterMs: null });
    expect(String(error)).toBe(`KubeError: GET ${path}/a: 404 configmaps "a" not found`);
    expect([isNotFound(error), isConflict(error), isGone(error)]).toEqual([true, false, false]);
  });

  test('fails with the beginning of an answer that is no Status', async () => {
    const stub = await stubOf((call) => call.text(502, `<html>Bad Gateway${'.'.repeat(1000)}`));
    const error = await transportTo(stub)
      .request('GET', path)
      .catch((it: unknown) => it);
    expect(error).toMatchObject({ status: 502, reason: '' });
    expect(String(error)).toContain('Bad Gateway');
    expect(String(error).length).toBeLessThan(500);
  });

  test('that creates what exists already is no conflict', async () => {
    const stub = await stubOf((call) => call.json(409, status(409, 'AlreadyExists', 'exists')));
    const error = await transportTo(stub)
      .request('POST', path, { body: {} })
      .catch((it: unknown) => it);
    expect(error).toBeInstanceOf(KubeError);
    expect(isConflict(error)).toBe(false);
  });

  test('counts every try by code and method', async () => {
    const stub = await stubOf((call, index) => (index === 0 ? call.reset() : call.json(200, {})));
    const registry = new Registry();
    await transportTo(stub, { metrics: createKubeMetrics(registry) }).request('GET', path);
    const text = await registry.metrics();
    expect(text).toContain('rest_client_requests_total{code="<error>",method="GET"} 1');
    expect(text).toContain('rest_client_requests_total{code="200",method="GET"} 1');
  });
});

describe('a request that fails', () => {
  test('by a reset connection is sent again if it is a GET', async () => {
    const stub = await stubOf((call, index) => (index < 2 ? call.reset() : call.json(200, { ok: true })));
    expect(await transportTo(stub).request('GET', path)).toEqual({ ok: true });
    expect(stub.calls).toHaveLength(3);
  });

  test('by a reset connection is not sent again if it is a write', async () => {
    const stub = await stubOf((call) => call.reset());
    await expect(transportTo(stub).request('PATCH', path, { body: {} })).rejects.toThrow(TransportError);
    expect(stub.calls).toHaveLength(1);
  });

  test.each(['GET', 'PATCH'] as const)('by 429 is sent again after Retry-After: %s', async (method) => {
    const stub = await stubOf((call, index) =>
      index === 0 ? call.json(429, status(429, 'TooManyRequests', 'slow'), { 'retry-after': '3' }) : call.json(200, {}),
    );
    const clock = createFakeClock();
    const answer = transportTo(stub, { clock }).request(method, path);
    expect(await clock.timer(10_000)).toBe(3_000);
    clock.advance(2_999);
    expect(stub.calls).toHaveLength(1);
    clock.advance(1);
    await answer;
    expect(stub.calls).toHaveLength(2);
  });

  test('by a Retry-After too long to hold the caller is given back with it', async () => {
    const stub = await stubOf((call) => call.json(503, status(503, '', 'later'), { 'retry-after': '60' }));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({ status: 503, retryAfterMs: 60_000 });
    expect(stub.calls).toHaveLength(1);
  });

  test('again and again is given up after four tries', async () => {
    const stub = await stubOf((call) => call.json(503, status(503, '', 'no')));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({ status: 503 });
    expect(stub.calls).toHaveLength(4);
  });

  test('by 500 is the caller’s to try again', async () => {
    const stub = await stubOf((call) => call.json(500, status(500, 'InternalError', 'etcd')));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({
      status: 500,
      reason: 'InternalError',
    });
    expect(stub.calls).toHaveLength(1);
  });

  test('by silence is ended after its time-out, also in the middle of the answer', async () => {
    const stub = await stubOf((call, index) => index === 1 && call.send('{"half":'));
    const clock = createFakeClock();
    const answer = transportTo(stub, { clock }).request('PATCH', path, { timeoutMs: 7_000 });
    await stub.call(0);
    clock.advance(7_000);
    await expect(answer).rejects.toThrow('no complete answer in 7000 ms');
    const second = transportTo(stub, { clock }).request('PATCH', path, { timeoutMs: 7_000 });
    await stub.call(1);
    clock.advance(7_000);
    await expect(second).rejects.toThrow('no complete answer in 7000 ms');
    await stub.idle();
    expect(clock.timers()).toEqual([]);
  });

  test('by truncated JSON is a failure of the transport', async () => {
    const stub = await stubOf((call) => {
      call.send('{"kind":"Conf');
      call.end();
    });
    await expect(transportTo(stub).request('PUT', path)).rejects.toThrow(TransportError);
  });

  test('by a refused connection says so', async () => {
    const stub = await startStub(() => {});
    await stub.close();
    await expect(transportTo(stub).request('PUT', path)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('because its signal is aborted ends at once with the reason', async () => {
    const stub = await stubOf(() => {});
    const stop = new AbortController();
    const answer = transportTo(stub).request('GET', path, { signal: stop.signal });
    await stub.call(0);
    stop.abort(new Error('shutting down'));
    await expect(answer).rejects.toThrow('shutting down');
    await stub.idle();
    expect(stub.calls).toHaveLength(1);
  });
});

describe('credentials', () => {
  async function withTokenFile(stub: StubApiServer, token: string): Promise<(token: string) => Promise<void>> {
    const folder = await mkdtemp(join(tmpdir(), 'kube-'));
    ending.push(() => rm(folder, { recursive: true }));
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, token);
    const authProvider = { name: 'tokenFile', config: { tokenFile } };
    stub.kubeConfig.loadFromClusterAndUser(
      { name: 'stub', server: stub.url, skipTLSVerify: false },
      { name: 'pod', authProvider },
    );
    return (next) => writeFile(tokenFile, next);
  }

  test('that the server refuses are read again from the file, once', async () => {
    let valid = 'Bearer first';
    const stub = await stubOf((call) => {
      if (call.headers.authorization === valid) call.json(200, {});
      else call.json(401, status(401, 'Unauthorized', 'Unauthorized'));
    });
    const rotate = await withTokenFile(stub, 'first\n');
    const transport = transportTo(stub);
    await transport.request('GET', path);
    await rotate('second\n');
    valid = 'Bearer second';
    await transport.request('PATCH', path, { body: {} });
    expect(stub.calls.map((call) => call.headers.authorization)).toEqual([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ]);
    valid = 'Bearer third';
    await expect(transport.request('GET', path)).rejects.toMatchObject({ status: 401 });
    expect(stub.calls).toHaveLength(5);
  });

  test('that the server refuses are read again for a watch, too', async () => {
    const stub = await stubOf((call) => {
      if (call.headers.authorization !== 'Bearer second') call.json(401, status(401, 'Unauthorized', 'Unauthorized'));
      else call.watch ? call.end() : call.json(200, {});
    });
    const rotate = await withTokenFile(stub, 'first');
    const transport = transportTo(stub);
    await expect(transport.request('GET', path)).rejects.toMatchObject({ status: 401 });
    await rotate('second');
    expect(await allEvents(transport.watch(path, {}, { signal: new AbortController().signal, ...soon }))).toEqual([]);
  });

  test('that cannot be read are a failure of the transport', async () => {
    const stub = await stubOf((call) => call.json(200, {}));
    const authProvider = { name: 'tokenFile', config: { tokenFile: '/nowhere/token' } };
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'pod', authProvider });
    await expect(transportTo(stub).request('PATCH', path)).rejects.toThrow(/PATCH .*\/nowhere\/token/);
    expect(stub.calls).toHaveLength(0);
  });
});

describe('over TLS', () => {
  const server = selfSigned();
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');

  test('the server is verified by the CA, the client by its certificate, once for 300 requests', async () => {
    const client = selfSigned();
    const stub = await startStub((call) => call.json(200, {}), {
      ...server,
      requestCert: true,
      rejectUnauthorized: true,
      ca: client.cert,
    });
    ending.push(stub.close);
    stub.kubeConfig.loadFromClusterAndUser(
      { name: 'stub', server: stub.url, skipTLSVerify: false, caData: base64(server.cert) },
      { name: 'tester', certData: base64(client.cert), keyData: base64(client.key) },
    );
    const transport = transportTo(stub);
    for (let i = 0; i < 300; i++) await transport.request('GET', path);
    expect(stub.connections).toBeLessThanOrEqual(2);
  });

  test('a server with another certificate is refused', async () => {
    const stub = await startStub((call) => call.json(200, {}), selfSigned());
    ending.push(stub.close);
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false, caData: base64(server.cert) };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'tester' });
    await expect(transportTo(stub).request('PUT', path)).rejects.toThrow(/self-signed|signature/);
    expect(stub.calls).toHaveLength(0);
  });

  test('new connections are made when the CA file changes, and only then', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kube-'));
    ending.push(() => rm(folder, { recursive: true }));
    const caFile = join(folder, 'ca.crt');
    await writeFile(caFile, server.cert);
    const stub = await startStub((call) => call.json(200, {}), server);
    ending.push(stub.close);
    stub.kubeConfig.loadFromClusterAndUser(
      { name: 'stub', server: stub.url, skipTLSVerify: false, caFile },
      { name: 'tester' },
    );
    const clock = createFakeClock();
    const transport = transportTo(stub, { clock });
    const fewRequests = async () => {
      clock.advance(3_600_000);
      for (let i = 0; i < 3; i++) await transport.request('GET', path);
      return stub.connections;
    };
    const before = await fewRequests();
    expect(await fewRequests()).toBe(before);
    await writeFile(caFile, `${server.cert}${selfSigned().cert}`);
    expect(await fewRequests()).toBeGreaterThan(before);
  });
});

describe('a watch', () => {
  const watch = (stub: StubApiServer, signal = new AbortController().signal, idleMsMax = 10_000) =>
    transportTo(stub).watch(path, { resourceVersion: '5' }, { signal, idleMsMax });

  test('yields the events until the server ends it', async () => {
    const stub = await stubOf((call) => {
      call.event('ADDED', configMap('a', '6'));
      call.event('BOOKMARK', configMap('', '7'));
      call.end();
    });
    expect(await allEvents(watch(stub))).toEqual(['ADDED a', 'BOOKMARK ']);
    expect((await stub.call(0)).query).toEqual({ resourceVersion: '5', watch: 'true' });
  });

  test('fails with the Status of an ERROR event', async () => {
    const stub = await stubOf((call) => call.event('ERROR', status(410, 'Expired', 'too old resource version')));
    const error = await allEvents(watch(stub)).catch((it: unknown) => it);
    expect(isGone(error)).toBe(true);
    await stub.idle();
  });

  test('fails with a status other than 200', async () => {
    const stub = await stubOf((call) => call.json(410, status(410, 'Expired', 'too old')));
    await expect(allEvents(watch(stub))).rejects.toSatisfy(isGone);
  });

  test('fails when the connection is reset in the middle of a line', async () => {
    const stub = await stubOf(() => {});
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
    const stub = await stubOf((call) => {
      call.send(bytes);
      call.end();
    });
    await expect(allEvents(watch(stub))).rejects.toThrow(message);
  });

  test('fails on a line that never ends, before it fills the memory', async () => {
    const stub = await stubOf((call) => {
      for (let i = 0; i < 20; i++) call.send('x'.repeat(1024 * 1024));
    });
    await expect(allEvents(watch(stub))).rejects.toThrow('a line is longer than 16777216 bytes');
    await stub.idle();
  });

  test('fails when the server is silent, before or after the headers', async () => {
    const stub = await stubOf((call, index) => index === 1 && call.send('\n'));
    await expect(allEvents(watch(stub, undefined, 50))).rejects.toThrow(TransportError);
    await expect(allEvents(watch(stub, undefined, 50))).rejects.toThrow(TransportError);
    await stub.idle();
  });

  test('ends with the request when its reader stops reading', async () => {
    const stub = await stubOf((call) => call.event('ADDED', configMap('a', '6')));
    for await (const _ of watch(stub)) break;
    await stub.idle();
  });

  test.each(['before the answer', 'after the headers', 'between events'])(
    'ends at once when aborted %s',
    async (when) => {
      const stub = await stubOf((call) => {
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
    const stub = await stubOf((call) => call.event('ADDED', configMap('a', '6')));
    const stop = new AbortController();
    const reading = allEvents(watch(stub, stop.signal));
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    expect(stub.calls).toHaveLength(0);
  });
});
