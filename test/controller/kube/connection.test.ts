import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { namespaceOf } from '../../../controller/kube/connection.ts';
import { TransportError } from '../../../controller/kube/errors.ts';
import { selfSigned } from './certificate.ts';
import { createFakeClock } from './fake-clock.ts';
import { type StubApiServer, startStub, status, transportTo } from './stub-api-server.ts';

const path = '/api/v1/namespaces/shop/configmaps';

describe('the namespace of a kubeconfig', () => {
  test.each([
    ['that of the current context', { namespace: 'k2-system\n' }, 'k2-system'],
    ['default where the context names none', {}, 'default'],
  ])('is %s', (_, context, namespace) => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromOptions({
      clusters: [],
      users: [],
      contexts: [{ name: 'here', cluster: 'c', user: 'u', ...context }],
      currentContext: 'here',
    });
    expect(namespaceOf(kubeConfig)).toBe(namespace);
  });
});

describe('credentials', () => {
  async function withTokenFile(stub: StubApiServer, token: string): Promise<(token: string) => Promise<void>> {
    const tokenFile = await fileWith(token);
    const authProvider = { name: 'tokenFile', config: { tokenFile } };
    stub.kubeConfig.loadFromClusterAndUser(
      { name: 'stub', server: stub.url, skipTLSVerify: false },
      { name: 'pod', authProvider },
    );
    return (next) => writeFile(tokenFile, next);
  }

  test('that the server refuses are read again from the file, once', async () => {
    let valid = 'Bearer first';
    const stub = await startStub((call) => {
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
    const stub = await startStub((call) => {
      if (call.headers.authorization !== 'Bearer second') call.json(401, status(401, 'Unauthorized', 'Unauthorized'));
      else call.watch ? call.end() : call.json(200, {});
    });
    const rotate = await withTokenFile(stub, 'first');
    const transport = transportTo(stub);
    await expect(transport.request('GET', path)).rejects.toMatchObject({ status: 401 });
    await rotate('second');
    const watch = transport.watch(path, {}, { signal: new AbortController().signal, idleMsMax: 10_000 });
    expect((await watch.next()).done).toBe(true);
  });

  test('of a plug-in are asked for once, however many requests need them or are refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kube-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const plugIn = `
      const { appendFileSync, readFileSync } = require('node:fs');
      appendFileSync('${folder}/runs', 'x');
      const token = 'token-' + readFileSync('${folder}/runs', 'utf8').length;
      console.log(JSON.stringify({ status: { token } }));`;
    const stub = await startStub((call) => {
      if (call.headers.authorization === 'Bearer token-2') call.json(200, {});
      else call.json(401, status(401, 'Unauthorized', 'Unauthorized'));
    });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', plugIn] };
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'person', exec });
    const transport = transportTo(stub);
    await Promise.all([1, 2, 3, 4, 5].map(() => transport.request('GET', path)));
    expect(await readFile(join(folder, 'runs'), 'utf8')).toBe('xx');
  });

  test('of a plug-in that hangs hold a request no longer than its time-out', async () => {
    const stub = await startStub((call) => call.json(200, {}));
    const hanging = createServer().listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    const { port } = hanging.address() as AddressInfo;
    const plugIn = `require('node:net').connect(${port}, '127.0.0.1').on('end', () => process.exit(1)).resume()`;
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', plugIn] };
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'person', exec });
    const clock = createFakeClock();
    const answer = transportTo(stub, { clock }).request('PATCH', path, { timeoutMs: 500 });
    const [plugged] = (await once(hanging, 'connection')) as [Socket];
    onTestFinished(() => {
      plugged.destroy();
      hanging.close();
    });
    clock.advance(500);
    await expect(answer).rejects.toThrow('no complete answer in 500 ms');
    expect(stub.calls).toHaveLength(0);
  });

  test('that cannot be read are a failure of the transport', async () => {
    const stub = await startStub((call) => call.json(200, {}));
    const authProvider = { name: 'tokenFile', config: { tokenFile: '/nowhere/token' } };
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'pod', authProvider });
    await expect(transportTo(stub).request('PATCH', path)).rejects.toThrow(/PATCH .*\/nowhere\/token/);
    expect(stub.calls).toHaveLength(0);
  });
});

async function fileWith(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kube-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'file');
  await writeFile(path, text);
  return path;
}

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
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false, caData: base64(server.cert) };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'tester' });
    await expect(transportTo(stub).request('PUT', path)).rejects.toThrow(/self-signed|signature/);
    expect(stub.calls).toHaveLength(0);
  });

  test('a server with a certificate of a new CA is trusted once the CA file has it', async () => {
    const caFile = await fileWith(server.cert);
    const stub = await startStub((call) => call.json(200, { ok: true }), server);
    const cluster = { name: 'stub', server: stub.url, skipTLSVerify: false, caFile };
    stub.kubeConfig.loadFromClusterAndUser(cluster, { name: 'tester' });
    const clock = createFakeClock();
    const transport = transportTo(stub, { clock });
    await transport.request('GET', path);
    const renewed = selfSigned();
    stub.rotate(renewed);
    await expect(transport.request('PUT', path)).rejects.toThrow(/self-signed|signature/);
    await writeFile(caFile, renewed.cert);
    clock.advance(10_000);
    expect(await transport.request('PUT', path)).toEqual({ ok: true });
  });

  test('new connections are made when the CA file changes, and only then', async () => {
    const caFile = await fileWith(server.cert);
    const stub = await startStub((call) => (call.watch ? call.send('\n') : call.json(200, {})), server);
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
    const watch = transport.watch(path, {}, { signal: new AbortController().signal, idleMsMax: 10_000 });
    const watchEnded = expect(watch.next()).rejects.toThrow(TransportError);
    await stub.call(stub.calls.length);
    const { connections } = stub;
    await writeFile(caFile, `${server.cert}${selfSigned().cert}`);
    expect(await fewRequests()).toBeGreaterThan(connections);
    // The watch lives on over its old connection, until the transport is closed.
    expect(stub.openCalls).toBe(1);
    await transport.close();
    await watchEnded;
    await stub.idle();
  });
});
