import { getEventListeners, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isConflict, isGone, isNotFound, KubeError, TransportError } from '../../../controller/kube/errors.ts';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import { selfSigned } from './certificate.ts';
import { createFakeClock } from './fake-clock.ts';
import { startStub, status, transportTo } from './stub-api-server.ts';

const path = '/api/v1/namespaces/shop/configmaps';
const soon = { idleMsMax: 10_000 };

describe('a request', () => {
  test('sends method, path, query, credentials and JSON, and resolves to the answer', async () => {
    const stub = await startStub((call) => call.json(200, { kind: 'ConfigMap' }));
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
    const stub = await startStub((call) => call.json(200, {}));
    const cluster = { name: 'stub', server: `${stub.url}/k8s/clusters/c1/`, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'tester' });
    await transportTo(stub).request('GET', path);
    expect((await stub.call(0)).path).toBe(`/k8s/clusters/c1${path}`);
  });

  test('uses the same connections again: two serve 300 requests after each other', async () => {
    const stub = await startStub((call) => call.json(200, {}));
    const transport = transportTo(stub);
    for (let i = 0; i < 300; i++) await transport.request('GET', path);
    expect(stub.connections).toBeLessThanOrEqual(2);
  });

  test('never waits for a watch, however many there are', async () => {
    const stub = await startStub((call) => (call.watch ? call.send('') : call.json(200, {})));
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
    const stub = await startStub((call) => call.json(404, status(404, 'NotFound', 'configmaps "a" not found')));
    const error = await transportTo(stub)
      .request('GET', `${path}/a`)
      .catch((it: unknown) => it);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ status: 404, reason: 'NotFound', retryAfterMs: null });
    expect(String(error)).toBe(`KubeError: GET ${path}/a: 404 configmaps "a" not found`);
    expect([isNotFound(error), isConflict(error), isGone(error)]).toEqual([true, false, false]);
  });

  test('fails with the beginning of an answer that is no Status', async () => {
    const stub = await startStub((call) => call.text(502, `<html>Bad Gateway${'.'.repeat(1000)}`));
    const error = await transportTo(stub)
      .request('GET', path)
      .catch((it: unknown) => it);
    expect(error).toMatchObject({ status: 502, reason: '' });
    expect(String(error)).toContain('Bad Gateway');
    expect(String(error).length).toBeLessThan(500);
  });

  test('that creates what exists already is no conflict', async () => {
    const stub = await startStub((call) => call.json(409, status(409, 'AlreadyExists', 'exists')));
    const error = await transportTo(stub)
      .request('POST', path, { body: {} })
      .catch((it: unknown) => it);
    expect(error).toBeInstanceOf(KubeError);
    expect(isConflict(error)).toBe(false);
  });

  test('counts every try by code and method, and measures it', async () => {
    const stub = await startStub((call, index) => (index === 0 ? call.reset() : call.json(200, {})));
    const registry = new Registry();
    await transportTo(stub, { metrics: createKubeMetrics(registry) }).request('GET', path);
    const text = await registry.metrics();
    const { host } = new URL(stub.url);
    expect(text).toContain(`rest_client_requests_total{code="<error>",method="GET",host="${host}"} 1`);
    expect(text).toContain(`rest_client_requests_total{code="200",method="GET",host="${host}"} 1`);
    expect(text).toContain(`rest_client_request_duration_seconds_count{verb="GET",host="${host}"} 2`);
  });
});

describe('a request that fails', () => {
  test('by a reset connection is sent again if it is a GET', async () => {
    const stub = await startStub((call, index) => (index < 2 ? call.reset() : call.json(200, { ok: true })));
    expect(await transportTo(stub).request('GET', path)).toEqual({ ok: true });
    expect(stub.calls).toHaveLength(3);
  });

  test('by a reset connection is not sent again if it is a write', async () => {
    const stub = await startStub((call) => call.reset());
    await expect(transportTo(stub).request('PATCH', path, { body: {} })).rejects.toThrow(TransportError);
    expect(stub.calls).toHaveLength(1);
  });

  test.each(['GET', 'PATCH'] as const)('by 429 is sent again after Retry-After: %s', async (method) => {
    const stub = await startStub((call, index) =>
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
    expect(clock.timers()).toEqual([]);
  });

  test('by a Retry-After too long to hold the caller is given back with it', async () => {
    const stub = await startStub((call) => call.json(503, status(503, '', 'later'), { 'retry-after': '60' }));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({ status: 503, retryAfterMs: 60_000 });
    expect(stub.calls).toHaveLength(1);
  });

  test('again and again is given up after four tries', async () => {
    const stub = await startStub((call) => call.json(503, status(503, '', 'no')));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({ status: 503 });
    expect(stub.calls).toHaveLength(4);
  });

  test('by 500 is the caller’s to try again', async () => {
    const stub = await startStub((call) => call.json(500, status(500, 'InternalError', 'etcd')));
    await expect(transportTo(stub).request('GET', path)).rejects.toMatchObject({
      status: 500,
      reason: 'InternalError',
    });
    expect(stub.calls).toHaveLength(1);
  });

  test('by silence is ended after its time-out, also in the middle of the answer', async () => {
    const stub = await startStub((call, index) => index === 1 && call.send('{"half":'));
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

  test('because its connection is dead without a word is sent again over another, if it is a GET', async () => {
    // The connection of the second request swallows whatever is sent.
    let deadPort = 0;
    const stub = await startStub((call, index) => {
      if (index === 1) deadPort = call.remotePort;
      if (call.remotePort !== deadPort) call.json(200, { index });
    });
    const clock = createFakeClock();
    const transport = transportTo(stub, { clock });
    await transport.request('GET', path);
    const answer = transport.request('GET', path, { timeoutMs: 7_000 });
    await stub.call(1);
    clock.advance(7_000);
    clock.advance(await clock.timer(1_000));
    expect(await answer).toEqual({ index: 2 });
  });

  test('by truncated JSON is a failure of the transport', async () => {
    const stub = await startStub((call) => {
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

  test('or not leaves no listener on its signal', async () => {
    const stub = await startStub((call, index) => (index === 0 ? call.reset() : call.json(200, {})));
    const { signal } = new AbortController();
    await transportTo(stub).request('GET', path, { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('because its signal is aborted ends at once with the reason', async () => {
    const stub = await startStub(() => {});
    const stop = new AbortController();
    const answer = transportTo(stub).request('GET', path, { signal: stop.signal });
    await stub.call(0);
    stop.abort(new Error('shutting down'));
    await expect(answer).rejects.toThrow('shutting down');
    await stub.idle();
    expect(stub.calls).toHaveLength(1);
  });
});

describe('while the server accepts connections and says nothing, not even in TLS,', () => {
  /** A stub behind a listener that accepts for it, as the kernel does for a stopped process. */
  async function startPaused() {
    const tls = selfSigned();
    const stub = await startStub((call) => call.json(200, {}), tls);
    const accepted = new Set<Socket>();
    let isPaused = true;
    const forward = (socket: Socket) => {
      const behind = connect(Number(new URL(stub.url).port), '127.0.0.1');
      pipeline(socket, behind, socket, () => {});
    };
    const listener = createServer((socket) => {
      accepted.add(socket);
      if (!isPaused) forward(socket);
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    onTestFinished(() => {
      listener.close();
      for (const socket of accepted) socket.destroy();
    });
    const caData = Buffer.from(tls.cert).toString('base64');
    const server = `https://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    stub.kubeConfig.loadFromClusterAndUser({ name: 'stub', server, skipTLSVerify: false, caData }, { name: 'tester' });
    const resume = () => {
      isPaused = false;
      for (const socket of accepted) forward(socket);
    };
    return { stub, resume, connected: once(listener, 'connection') as Promise<[Socket]> };
  }

  test('a write ends after its time-out, and is not sent when the server goes on', async () => {
    const { stub, resume, connected } = await startPaused();
    const clock = createFakeClock();
    const transport = transportTo(stub, { clock });
    const answer = transport.request('PATCH', path, { body: {}, timeoutMs: 500 });
    const [socket] = await connected;
    clock.advance(500);
    await expect(answer).rejects.toThrow(`PATCH ${path}: no complete answer in 500 ms`);
    expect(clock.timers()).toEqual([]);
    const closed = once(socket, 'close');
    resume();
    await closed;
    expect(await transport.request('GET', path)).toEqual({});
    expect(stub.calls.map(({ method }) => method)).toEqual(['GET']);
  });

  test('a request and a watch end at once with their signal', async () => {
    const { stub, connected } = await startPaused();
    const transport = transportTo(stub);
    const stop = new AbortController();
    const { signal } = stop;
    const ends = [transport.request('GET', path, { signal }), transport.watch(path, {}, { signal, ...soon }).next()];
    await connected;
    const reason = new Error('shutting down');
    stop.abort(reason);
    expect(await Promise.allSettled(ends)).toEqual([1, 2].map(() => ({ status: 'rejected', reason })));
    // Less than the 10 s after which undici gives up a connection.
  }, 8_000);
});
